/** Proxies that people run, from Debian's packages: microsocks (SOCKS5) and tinyproxy (HTTP CONNECT). */

import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './redis-server.ts';
import { Program, temporaryFolder } from './service.ts';
import { until } from './until.ts';

export interface RunningProxy {
  readonly program: Program;
  readonly port: number;
}

export async function startMicrosocks(user: string, password: string, port?: number): Promise<RunningProxy> {
  const at = port ?? (await freePort());
  const options = ['-i', '127.0.0.1', '-p', String(at), '-u', user, '-P', password];
  return listening(new Program('microsocks', options), at);
}

export async function startTinyproxy(user: string, password: string): Promise<RunningProxy> {
  const port = await freePort();
  const file = join(temporaryFolder(), 'tinyproxy.conf');
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Timeout 60',
    'MaxClients 50',
    `BasicAuth ${user} ${password}`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return listening(new Program('tinyproxy', ['-d', '-c', file]), port);
}

async function listening(program: Program, port: number): Promise<RunningProxy> {
  const isOpen = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  await until(isOpen, 'the proxy listens');
  return { program, port };
}
