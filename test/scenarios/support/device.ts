/** A device that manages its stream (XEP-0198) as good clients do: it keeps what is not acknowledged, and resumes. */

import type { Transport } from '../../support/proxy.ts';
import {
  type Client,
  converse,
  type DeviceOptions,
  type Element,
  isReusedDescriptor,
  ns,
  type Scene,
} from './scenario.ts';

export interface ResumeOptions {
  transport?: Transport;
  /** Where another proxy than the cell's is to be used. */
  target?: Parameters<typeof converse>[0];
  /** Closes nothing before: the old connection lives on. */
  isTakeover?: boolean;
}

export class Device {
  /** On the present connection. */
  client: Client;
  /** All stanzas that have come since stream management was enabled, over all connections, in order. */
  readonly heard: Element[] = [];
  /** Sent, and not acknowledged. */
  readonly unacknowledged: string[] = [];
  readonly #scene: Scene;
  /** How many of those that were sent were acknowledged. */
  #acknowledged = 0;

  constructor(scene: Scene, client: Client) {
    this.#scene = scene;
    this.client = client;
    this.#listen(client);
  }

  get jid(): string {
    return this.client.jid;
  }

  /** What of the messages heard so far matches. */
  messages(isWanted: (message: Element) => boolean): Element[] {
    return this.heard.filter((one) => one.name === 'message' && isWanted(one));
  }

  /** All counters are so much further on: of what was sent, and of what was heard. */
  countFrom(sent: number, heard: number): void {
    const { sm } = this.client;
    if (!sm) throw new Error('stream management was not enabled');
    this.#acknowledged += sent;
    Object.assign(sm, { inbound: sm.inbound + heard, outbound: sm.outbound + sent, acked: sm.acked + sent });
  }

  /** RST; what is on its way in either direction is lost. */
  async cut(): Promise<void> {
    await this.client.drop();
  }

  /**
   * A new connection, authenticated, on which the session goes on, what was lost on the way included. Returns `<resumed/>`.
   * Rejects with the condition of `<failed/>`; `client` is the new one then, and may bind.
   */
  async resume(options: ResumeOptions = {}): Promise<Element> {
    const old = this.client;
    if (!options.isTakeover && !old.stream.isClosed) await old.drop();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#resume(old, options);
      } catch (error) {
        // As one that logs in anew does.
        const isEnded = this.client !== old && this.client.stream.isClosed;
        if (attempt === 5 || !isEnded || !isReusedDescriptor(await this.client.closed)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #resume(old: Client, { transport = this.#scene.transport, target }: ResumeOptions): Promise<Element> {
    const { mechanism, back } = this.#scene;
    const user = old.jid.slice(0, old.jid.indexOf('@'));
    const next = await converse(target ?? back(old, transport), `${user}/resumed`, (client) =>
      client.authenticate({ user, mechanism }),
    );
    this.#scene.adopt(next);
    for (const one of this.client.stream.inbox.takeAll()) next.stream.inbox.add(one);
    this.client = next;
    this.#listen(next);
    const answer = await next.resume(old);
    if (answer.name !== 'resumed') throw new Error(answer.elements[0]?.name ?? 'failed without a reason');
    this.#acknowledge(Number(answer.attrs.h));
    // The counter of what was sent does not count it again.
    for (const xml of this.unacknowledged) next.stream.send(xml);
    return answer;
  }

  #acknowledge(h: number): void {
    // Counters wrap (XEP-0198 section 4).
    const count = (h - this.#acknowledged + 2 ** 32) % 2 ** 32;
    if (count > this.unacknowledged.length) {
      throw new Error(`h='${h}' after ${this.#acknowledged}, with ${this.unacknowledged.length} on their way`);
    }
    this.unacknowledged.splice(0, count);
    this.#acknowledged = h;
  }

  #listen(client: Client): void {
    const { intercept } = client.stream;
    client.stream.intercept = (element) => {
      // What an old connection still brings is read by nobody.
      const isCounted = this.client === client && client.sm !== undefined && element.ns === ns.client;
      const isTaken = intercept(element);
      if (isCounted) this.heard.push(element);
      if (element.ns === ns.sm && element.name === 'a') this.#acknowledge(Number(element.attrs.h));
      return isTaken;
    };
    const send = client.send.bind(client);
    client.send = (xml) => {
      if (client.sm && /^<(message|presence|iq)[\s/>]/.test(xml)) this.unacknowledged.push(xml);
      send(xml);
    };
  }
}

/** Logs a device in and enables stream management. */
export async function openDevice(scene: Scene, role: string, options: DeviceOptions = {}): Promise<Device> {
  return managed(scene, await scene.login(role, options));
}

/** Enables stream management for one that the scenario has logged in by itself. */
export async function managed(scene: Scene, client: Client): Promise<Device> {
  const device = new Device(scene, client);
  const enabled = await device.client.enableSm();
  if (enabled.name !== 'enabled') throw new Error(enabled.print());
  return device;
}

/** A client that says nothing of stream management, and remembers what it hears, for comparison. */
export function record(client: Client): Element[] {
  const heard: Element[] = [];
  const { intercept } = client.stream;
  client.stream.intercept = (element) => {
    if (element.ns === ns.client) heard.push(element);
    return intercept(element);
  };
  return heard;
}
