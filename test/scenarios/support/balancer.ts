/** An HAProxy in front of the nodes of a scenario, as plain as can be; deploy/haproxy is what is recommended, and played by test/deploy. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePackages, packagesOf } from '../../servers/install.ts';
import { Daemon, freePorts, inFolder, removeFolder } from '../../servers/process.ts';
import type { Access } from '../../servers/server.ts';

/** Ports of 127.0.0.1. */
export type Ports = ReadonlyMap<Access, number>;

export interface TestBalancer {
  /** Where clients connect: the same ways as the nodes have. */
  readonly ports: Ports;
  stop(): Promise<void>;
}

/** Starts it in front of nodes with those ports. */
export function startBalancer(nodes: readonly Ports[]): Promise<TestBalancer> {
  ensurePackages(packagesOf.balancers);
  return inFolder('balancer', async (folder) => {
    const ways = [...(nodes[0]?.keys() ?? [])];
    const free = await freePorts(ways.length);
    const ports = new Map(ways.map((access, index) => [access, free[index] as number]));
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, COMMON + ways.map((access) => section(access, ports, nodes)).join(''));
    const daemon = new Daemon(folder, 'haproxy', '/usr/sbin/haproxy', ['-db', '-f', file]);
    try {
      for (const port of free) await daemon.listening(port);
    } catch (error) {
      await daemon.kill();
      throw error;
    }
    return {
      ports,
      async stop() {
        await daemon.kill();
        removeFolder(folder);
      },
    };
  });
}

/** Strictly one node after the other: devices are to be spread, however few they are. */
const COMMON = `global
  maxconn 1000
defaults
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  timeout tunnel 10m
  timeout http-request 10s
  retries 3
  option redispatch 1
  balance roundrobin
`;

/** TLS passes through. */
function section(access: Access, ports: Ports, nodes: readonly Ports[]): string {
  const servers = nodes.map((one, index) => `  server node${index} 127.0.0.1:${one.get(access)}\n`).join('');
  return `listen ${access}\n  mode ${access === 'ws' ? 'http' : 'tcp'}\n  bind 127.0.0.1:${ports.get(access)}\n${servers}`;
}
