/** What parent and worker say to each other. Copied as data from process to process. */
import type { Measured } from '../ops/gather.ts';
import type { Readiness } from '../ops/http.ts';

export type ToWorker =
  /** In answer to `up`. `settings` is a checked configuration in the file's form. */
  | { readonly do: 'start'; readonly worker: number; readonly settings: unknown }
  /** Takes no new connections from now on. */
  | { readonly do: 'close' }
  | { readonly do: 'stop' }
  /** Reads certificates again. */
  | { readonly do: 'reload' }
  | { readonly do: 'report'; readonly id: number };

export type FromWorker =
  /** It hears what it is told from now on. */
  | { readonly is: 'up' }
  | { readonly is: 'started' }
  /** Why it could not start; it ends by itself. */
  | { readonly is: 'failed'; readonly reason: string }
  | { readonly is: 'report'; readonly id: number; readonly readiness: Readiness; readonly measured: Measured };
