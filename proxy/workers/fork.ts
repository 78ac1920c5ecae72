/** Worker processes by node:cluster, which gives each new connection to the next of them; and the worker's end of the line. */
import cluster from 'node:cluster';
import process from 'node:process';
import type { FromWorker, ToWorker } from './messages.ts';
import type { Forked } from './parent.ts';

/** Marks a process as a worker of this program: others may run it as theirs. */
const MARK = 'MINIMIX_WORKER';

/** This process was started by `forkWorker`. */
export function isWorker(): boolean {
  return cluster.isWorker && process.env[MARK] === 'yes';
}

/** Starts this program once more, as a worker. */
export function forkWorker(): Forked {
  // Settings and metrics hold what JSON has no words for, such as Infinity.
  cluster.setupPrimary({ serialization: 'advanced' });
  const worker = cluster.fork({ [MARK]: 'yes' });
  // A line that breaks is no news: the end of the process is told.
  worker.on('error', () => {});
  return {
    pid: worker.process.pid,
    send: (message) => {
      if (worker.isConnected()) worker.send(message, () => {});
    },
    kill: (signal) => void worker.process.kill(signal),
    onMessage: (listener) => void worker.on('message', listener),
    onExit: (listener) => void worker.once('exit', listener),
  };
}

/** The worker's end. */
export interface Line {
  send(message: FromWorker): void;
  onMessage(listener: (message: ToWorker) => void): void;
  /** The parent is no more. */
  onLost(listener: () => void): void;
}

export function lineToParent(): Line {
  // Else Node ends a worker at once that has lost its parent, in the midst of whatever it does.
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
  return {
    send: (message) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => {});
    },
    onMessage: (listener) => void process.on('message', listener),
    onLost: (listener) => void process.once('disconnect', listener),
  };
}
