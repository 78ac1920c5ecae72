/** A way to Redis that can be cut for a while, be led to another Redis, or swallow what goes over it. */
import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import type { TestContext } from '../support/suite.ts';

export interface Way {
  readonly port: number;
  /** Connections over it break, and new ones are refused. */
  cut(): void;
  mend(): void;
  /** Connections stay as they are, new ones lead to that port. */
  leadTo(port: number): void;
  /** Nothing passes any more on the connections that there are, and nobody is told. */
  swallow(): void;
  /** What passes takes so much longer (ms), each way. */
  slow(ms: number): void;
  /** Connections made so far. */
  readonly made: number;
}

/** Leads to a port of 127.0.0.1; gone with the test. */
export async function wayTo(to: number, { after }: Pick<TestContext, 'after'>): Promise<Way> {
  let target = to;
  let isCut = false;
  let made = 0;
  let lateMs = 0;
  const late = (): Transform =>
    new Transform({
      transform: (chunk, _, done) => {
        if (lateMs === 0) done(null, chunk);
        else setTimeout(() => done(null, chunk), lateMs);
      },
    });
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer({ noDelay: true }, (near) => {
    keep(near);
    made += 1;
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: target, host: '127.0.0.1', noDelay: true });
    keep(far);
    near.pipe(late()).pipe(far).pipe(late()).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const breakAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  after(() => {
    breakAll();
    server.close();
  });
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    cut() {
      isCut = true;
      breakAll();
    },
    mend() {
      isCut = false;
    },
    leadTo(port) {
      target = port;
    },
    swallow() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    slow(ms) {
      lateMs = ms;
    },
    get made() {
      return made;
    },
  };
}
