/** A way to a server that can be broken: what is on its way in either direction is lost. */
import { connect, createServer, type Socket } from 'node:net';

export interface Breakable {
  /** URL for a proxy's configuration. */
  readonly upstream: string;
  /** Connections that were made so far. */
  readonly made: number;
  /** What the server sends on that connection goes no further; `said` has it. */
  stall(number: number): void;
  /** What the proxy sends on that connection goes no further. */
  mute(number: number): void;
  /** Of what the server says on that connection the end of the stream goes no further, nor does that of the connection. */
  leaveOpen(number: number): void;
  /** Whether new connections are taken; those that are not get an RST. Taken unless told. */
  isOpen: boolean;
  /** RST to both ends of all connections, or of the one of that number (from 0, in the order of their making). */
  break(number?: number): void;
  /** What has gone over the connection of that number so far, towards the server and from it. */
  said(number: number): { readonly up: string; readonly down: string };
  stop(): void;
}

export async function breakable(port: number): Promise<Breakable> {
  const pairs: (readonly [Socket, Socket])[] = [];
  const texts: { up: string; down: string }[] = [];
  /** Connections to the proxy that outlive those to the server. */
  const leftOpen = new Set<Socket>();
  let isOpen = true;
  const server = createServer({ noDelay: true }, (near) => {
    if (!isOpen) {
      near.on('error', () => {});
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    pairs.push([near, far]);
    const text = { up: '', down: '' };
    texts.push(text);
    near.on('data', (chunk) => {
      text.up += chunk.toString();
    });
    far.on('data', (chunk) => {
      text.down += chunk.toString();
    });
    near.pipe(far);
    far.pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => {
        if (!leftOpen.has(other)) other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const listening = typeof address === 'object' && address ? address.port : 0;
  const end = (list: typeof pairs): void => {
    for (const socket of list.flat()) if (!socket.destroyed) socket.resetAndDestroy();
  };
  return {
    upstream: `xmpp://127.0.0.1:${listening}`,
    get made() {
      return pairs.length;
    },
    stall(number) {
      const [near, far] = pairs[number] ?? [];
      if (near) far?.unpipe(near).resume();
    },
    mute(number) {
      const [near, far] = pairs[number] ?? [];
      if (far) near?.unpipe(far);
    },
    leaveOpen(number) {
      const [near, far] = pairs[number] ?? [];
      if (!near || !far) return;
      leftOpen.add(near);
      far.unpipe(near);
      far
        .resume()
        .on('data', (chunk) => near.write(chunk.toString('latin1').replace('</stream:stream>', ''), 'latin1'));
    },
    get isOpen() {
      return isOpen;
    },
    set isOpen(value) {
      isOpen = value;
    },
    break: (number) => end(number === undefined ? pairs : pairs.slice(number, number + 1)),
    said: (number) => texts[number] ?? { up: '', down: '' },
    stop() {
      end(pairs);
      server.close();
    },
  };
}
