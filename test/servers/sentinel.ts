/** Starts a Redis Sentinel of its own. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Daemon, freePorts, inFolder, removeFolder } from './process.ts';

const run = promisify(execFile);

export interface Sentinel {
  readonly port: number;
  /** What redis-cli prints for a command. */
  cli(...command: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** One that decides alone, a second after the master on that port has gone silent. */
export function startSentinel(name: string, master: number): Promise<Sentinel> {
  return inFolder('sentinel', async (folder) => {
    const [port] = (await freePorts(1)) as [number];
    const file = join(folder, 'sentinel.conf');
    const settings = [
      'bind 127.0.0.1',
      `port ${port}`,
      `dir ${folder}`,
      `sentinel monitor ${name} 127.0.0.1 ${master} 1`,
      `sentinel down-after-milliseconds ${name} 1000`,
      `sentinel failover-timeout ${name} 5000`,
    ];
    // It writes what it finds out into the file.
    writeFileSync(file, `${settings.join('\n')}\n`);
    const daemon = new Daemon(folder, 'sentinel', 'redis-server', [file, '--sentinel']);
    await daemon.listening(port);
    return {
      port,
      cli: async (...command) => (await run('redis-cli', ['-p', String(port), ...command])).stdout.trim(),
      async stop() {
        await daemon.kill();
        removeFolder(folder);
      },
    };
  });
}
