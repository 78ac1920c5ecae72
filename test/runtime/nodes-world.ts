/**
 * Several nodes that share the sessions of one account, without sockets: clients, their streams, a room, and between the nodes a
 * store and a bus that a test can cut, delay or stop. What each client is told is what it believes.
 */
import { Services } from '../../proxy/core/services.ts';
import type { CarrierId, SessionId, Settings } from '../../proxy/core/state.ts';
import type { Seat } from '../../proxy/core/view.ts';
import type { Leg } from '../../proxy/net/leg.ts';
import { captureLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import type { Account } from '../../proxy/runtime/account.ts';
import { Cluster } from '../../proxy/runtime/cluster/cluster.ts';
import { ClusterNode } from '../../proxy/runtime/cluster/node.ts';
import type { AccountDeps } from '../../proxy/runtime/deps.ts';
import { MembershipRecorder } from '../../proxy/runtime/membership-recorder.ts';
import { Outlet } from '../../proxy/runtime/outlet.ts';
import type { CarrierPort, SessionPort } from '../../proxy/runtime/ports.ts';
import { routeDown, routeUp } from '../../proxy/runtime/session-routes.ts';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { createMemoryBus } from '../../proxy/store/memory-bus.ts';
import type { Store } from '../../proxy/store/store.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { ModelRoom } from '../core/model-room.ts';
import { BARE, ROOM, settings } from '../core/world.ts';
import { cuttable } from '../support/cut-store.ts';

export interface NodesOptions {
  readonly isShared?: boolean;
  /** How long a node is believed alive without a sign of life (ms): far longer than a test, unless it is about that. */
  readonly lifeMs?: number;
  readonly settings?: Partial<Settings>;
}

export class NodesWorld {
  readonly room: ModelRoom;
  readonly nodes: TestNode[] = [];
  readonly clients: TestClient[] = [];
  readonly log = captureLog();
  now = 1_700_000_000_000;
  /** The store's clock. */
  storeMs = 0;
  readonly lifeMs: number;
  readonly settings: Settings;
  /** Sender, receiver and kind of each envelope so far. */
  readonly envelopes: string[] = [];
  /** Deliveries of the bus that wait. */
  readonly #bus: (() => void)[] = [];
  readonly store: Store;
  /** On their way, in order for each stream: to the room, and from it. */
  readonly up = new Map<string, Stanza[]>();
  readonly down = new Map<string, Stanza[]>();
  /** Streams at the server, by JID. */
  readonly streams = new Map<string, TestClient>();
  /** Bodies that the room has seen said, in order. */
  readonly said: string[] = [];
  serial = 0;

  constructor({ isShared = true, lifeMs = 600_000, settings: own = {} }: NodesOptions = {}) {
    this.settings = { ...settings, keepsLogs: true, ...own };
    this.lifeMs = lifeMs;
    this.room = new ModelRoom({ room: ROOM, isShared });
    const bus = createMemoryBus({ defer: (run) => void this.#bus.push(run) });
    const counted: Store['bus'] = {
      open: (node, handler) => bus.open(node, handler),
      send: (from, to, body) => {
        const [head = ''] = body.toString().split('\n', 1);
        this.envelopes.push(`${from} ${to} ${(JSON.parse(head) as { kind: string }).kind}`);
        return bus.send(from, to, body);
      },
    };
    this.store = createMemoryStore({ now: () => this.storeMs, bus: counted });
  }

  async addNode(): Promise<TestNode> {
    const node = new TestNode(this, `n${this.nodes.length + 1}`);
    this.nodes.push(node);
    await node.cluster.start();
    await Promise.all(this.nodes.map((one) => one.node.beat()));
    return node;
  }

  bind(node: TestNode): TestClient {
    this.serial += 1;
    const client = new TestClient(this, node, `r${this.serial}`);
    this.clients.push(client);
    return client;
  }

  /** The independent occupant says something; returns the body. */
  roomSays(): string {
    const { serial, told } = this.room.say(this.now);
    this.tell(told);
    return String(serial);
  }

  tell(told: readonly { readonly to: string; readonly xml: string }[]): void {
    for (const { to, xml } of told) if (this.streams.has(to)) append(this.down, to, parseStanza(xml));
  }

  /** One thing that is on its way arrives: `choice` says which. False: nothing is. */
  arrive(choice = 0): boolean {
    const ups = [...this.up].filter(([, queue]) => queue.length > 0);
    const downs = [...this.down].filter(([, queue]) => queue.length > 0);
    const all: (() => void)[] = [];
    for (const [jid, queue] of ups) all.push(() => this.#atRoom(jid, queue));
    for (const [jid, queue] of downs) all.push(() => this.#atClient(jid, queue));
    if (this.#bus.length > 0) all.push(() => this.#bus.shift()?.());
    all[choice % Math.max(1, all.length)]?.();
    this.now += 1;
    return all.length > 0;
  }

  /** Only what is between nodes goes on. */
  busOnly(): void {
    this.#bus.shift()?.();
  }

  #atRoom(jid: string, queue: Stanza[]): void {
    const stanza = queue.shift();
    if (!stanza || !this.streams.has(jid)) return;
    const body = stanza.root.child('body')?.text();
    if (body !== undefined && this.room.inside.has(jid)) this.said.push(body);
    if (stanza.toAt < 0) this.tell(this.room.gone(jid));
    else this.tell(this.room.take(jid, stanza, this.now));
  }

  #atClient(jid: string, queue: Stanza[]): void {
    const stanza = queue.shift();
    if (stanza) this.streams.get(jid)?.fromServer(stanza);
  }

  /** Promises that are due are kept. */
  async breathe(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Everything that is on its way arrives, and what comes of it; timers of up to `ms` too. */
  async settle(ms = 0): Promise<void> {
    const end = performance.now() + ms;
    do {
      for (let quiet = 0; quiet < 3; ) {
        quiet = this.arrive() ? 0 : quiet + 1;
        await this.breathe();
      }
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    } while (performance.now() < end);
  }

  /** The node's process is killed: its streams end, and the others find out when its life is over. */
  async kill(node: TestNode): Promise<void> {
    node.isCut = true;
    node.isDead = true;
    node.cluster.close();
    for (const client of this.clients.filter((one) => one.node === node)) client.end();
    await this.outlive();
  }

  /** The node's process stops in order. */
  async stop(node: TestNode): Promise<void> {
    let isDone = false;
    const draining = node.cluster.drain(500).then(() => {
      isDone = true;
    });
    while (!isDone) await this.settle(10);
    await draining;
    for (const client of this.clients.filter((one) => one.node === node)) client.shutDown();
    await this.settle(10);
    await node.cluster.stop();
    node.isDead = true;
    for (const client of this.clients.filter((one) => one.node === node)) client.end();
    await Promise.all(this.nodes.filter(({ isDead }) => !isDead).map((one) => one.node.beat()));
  }

  /** Nodes that give no sign of life are dead to the others. */
  async outlive(): Promise<void> {
    for (let part = 0; part < 3; part += 1) {
      this.storeMs += this.lifeMs * 0.4;
      await Promise.all(this.nodes.filter(({ isDead }) => !isDead).map(({ node }) => node.beat()));
    }
  }

  /** Which node is the account's home. */
  get homes(): TestNode[] {
    return this.nodes.filter(({ isDead, account }) => !isDead && account?.runner !== undefined);
  }

  async close(): Promise<void> {
    for (const { cluster } of this.nodes) await cluster.stop();
  }
}

export class TestNode {
  readonly world: NodesWorld;
  readonly name: string;
  readonly node: ClusterNode;
  readonly cluster: Cluster;
  readonly metrics = createMetrics();
  /** The store cannot be reached from here. */
  isCut = false;
  isDead = false;
  /** It stands still, as far as the store goes. */
  isStill = false;
  /** Nothing that other nodes send arrives here. */
  isDeaf = false;

  constructor(world: NodesWorld, name: string) {
    this.world = world;
    this.name = name;
    const { log } = world;
    let serial = 0;
    let ids = 0;
    const isStill = (): boolean => this.isStill;
    const isDeaf = (): boolean => this.isDeaf;
    const store = cuttable(world.store, () => this.isCut, isStill, isDeaf);
    this.node = new ClusterNode({
      store,
      log,
      metrics: this.metrics,
      lifeMs: world.lifeMs,
      newId: () => `${name}.${++ids}`,
    });
    const deps = {
      log,
      metrics: this.metrics,
      services: new Services(),
      store: new MembershipRecorder({ store, node: () => this.node.id, log, cursorMs: 1000 }),
      logs: store.logs,
      leaving: new Set(),
      now: () => world.now,
      token: () => `${name}t${++serial}`,
      serial: () => `${name}-${++serial}`,
    };
    this.cluster = new Cluster(this.node, deps as unknown as AccountDeps, store);
  }

  get account() {
    return this.cluster.find(BARE as BareKey);
  }

  open(): Account {
    return this.cluster.account(BARE as BareKey, BARE, this.world.settings);
  }
}

export class TestClient implements SessionPort, CarrierPort {
  readonly world: NodesWorld;
  readonly node: TestNode;
  readonly id: SessionId;
  readonly carrier: CarrierId;
  readonly jid: string;
  readonly asked: string;
  readonly declared = USUAL_DECLARATIONS;
  readonly mayHoldBack = false;
  readonly outlet: Outlet;
  readonly account: Account;
  readonly seat: Seat;
  place: 'out' | 'asking' | 'in' = 'out';
  /** Bodies of messages heard since the last join. */
  heard: string[] = [];
  errors = 0;
  /** What it has said to the room, and what of it came back as an error. */
  readonly spoken: string[] = [];
  readonly refused = new Set<string>();
  isReplaced = false;
  /** Its stream does not take what is sent. */
  isCongested = false;
  /** It was asked to send nothing more. */
  isResting = false;
  #isGone = false;
  /** Its client has gone, and its stream is kept for its rooms. */
  isParked = false;
  readonly told: Stanza[] = [];
  /** Nicks of other occupants, as it was shown. */
  readonly sees = new Set<string>();

  constructor(world: NodesWorld, node: TestNode, resource: string) {
    this.world = world;
    this.node = node;
    this.id = `s-${node.name}-${resource}` as SessionId;
    this.carrier = `c-${node.name}-${resource}` as CarrierId;
    this.jid = `${BARE}/${resource}`;
    this.asked = resource;
    const send = (xml: string | Buffer): void => append(world.up, this.jid, parseStanza(xml));
    const isCongested = (): boolean => this.isCongested;
    const leg = {
      get congested() {
        return isCongested();
      },
      declared: USUAL_DECLARATIONS,
      send,
    };
    this.outlet = new Outlet(leg as unknown as Leg);
    world.streams.set(this.jid, this);
    this.account = node.open();
    this.seat = this.account.addSession(this, this.carrier, this);
    this.account.input({ kind: 'session-presence', session: this.id, available: true, show: '', priority: 0 });
  }

  // What the client does.

  send(xml: string | Buffer): void {
    this.deliver(Buffer.from(xml));
  }

  says(xml: string): void {
    const stanza = parseStanza(xml);
    const route = routeUp(stanza, { seat: this.seat, exclude: [], idPrefixes: [] });
    if (route === 'account') this.account.input({ kind: 'session-stanza', session: this.id, stanza });
    else append(this.world.up, this.jid, stanza);
  }

  join(nick = 'alice', history = ''): void {
    this.place = 'asking';
    this.heard = [];
    this.sees.clear();
    this.world.serial += 1;
    this.says(
      `<presence id='j${this.world.serial}' to='${ROOM}/${nick}'><x xmlns='${NS.muc}'>${history}</x></presence>`,
    );
  }

  leave(): void {
    this.says(`<presence type='unavailable' to='${ROOM}/alice'/>`);
  }

  say(body: string): void {
    this.spoken.push(body);
    this.says(`<message type='groupchat' id='${body}' to='${ROOM}'><body>${body}</body></message>`);
  }

  /** Its connection ends. */
  drop(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.place = 'out';
    this.account.removeSession(this);
  }

  /** Its connection ends, and its stream may be kept for its rooms. */
  leaveBehind(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.place = 'out';
    this.account.removeSession(this, { mayPark: true });
  }

  /** Its node is about to stop. */
  shutDown(): void {
    if (this.isParked) {
      this.account.input({ kind: 'carriers-leave', carriers: [this.carrier], mayOpen: false });
    } else this.drop();
  }

  /** Its stream is ended by the server, and the client with it. */
  lose(): void {
    this.end();
    this.isParked = false;
    this.account.loseCarrier(this.carrier);
    this.drop();
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** The stream is gone at the server. */
  end(): void {
    this.world.streams.delete(this.jid);
    this.world.up.delete(this.jid);
    this.world.down.delete(this.jid);
    this.world.tell(this.world.room.gone(this.jid));
    if (this.node.isDead) {
      this.isParked = false;
      this.#isGone = true;
      this.place = 'out';
    }
  }

  fromServer(stanza: Stanza): void {
    const route = routeDown(stanza, { seat: this.seat, exclude: [], idPrefixes: [] }, this.#isGone);
    if (route === 'account') this.account.input({ kind: 'carrier-stanza', carrier: this.carrier, stanza });
    else if (route === 'relay') this.#hear(stanza);
  }

  // As a port.

  deliver(text: Buffer): void {
    this.#hear(parseStanza(Buffer.from(text)));
  }

  holdBack(): void {}

  relayUpstream(stanza: Stanza): void {
    append(this.world.up, this.jid, stanza);
  }

  replace(): void {
    this.isReplaced = true;
    this.drop();
  }

  rest(): void {
    this.isResting = true;
  }

  resume(): void {
    this.isResting = false;
  }

  wake(): void {}
  hold(): void {}
  park(): void {
    this.isParked = this.#isGone;
  }
  suspend(): void {}

  fallBehind(): void {}

  relayDownstream(stanza: Stanza): void {
    this.#hear(stanza);
  }

  free(): void {
    this.isParked = false;
    if (this.#isGone) this.end();
  }

  #hear(stanza: Stanza): void {
    if (this.#isGone) return;
    this.told.push(stanza);
    const nick = (stanza.from ?? '').slice(ROOM.length + 1);
    const isSelf = stanza.root.child('x', NS.mucUser)?.children.some((one) => one.attr('code') === '110') === true;
    if (stanza.name === 'presence' && stanza.type === 'error') {
      this.errors += 1;
      this.place = 'out';
    } else if (stanza.name === 'presence' && isSelf) this.place = stanza.type === 'unavailable' ? 'out' : 'in';
    else if (stanza.name === 'presence') {
      if (stanza.type === 'unavailable') this.sees.delete(nick);
      else this.sees.add(nick);
    } else if (stanza.type === 'error') {
      this.errors += 1;
      this.refused.add(stanza.id ?? '');
    } else if (stanza.type === 'groupchat' && stanza.root.child('body')) {
      this.heard.push(stanza.root.child('body')?.text() ?? '');
    }
  }
}

function append(queues: Map<string, Stanza[]>, key: string, stanza: Stanza): void {
  const queue = queues.get(key);
  if (queue) queue.push(stanza);
  else queues.set(key, [stanza]);
}
