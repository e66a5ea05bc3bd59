/** Edge processes that follow a Redis, and what is visible from outside. */
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { askUdp, shown } from '../../support/dns-client.ts';
import { RedisServer, type RedisServerOptions } from '../../support/redis-server.ts';
import { type ConfigFields, FILMS, RELAY, RunningService } from '../../support/service.ts';

export const SERVED = `NOERROR ${RELAY.us.address}`;

export interface Readiness {
  readonly ready: boolean;
  readonly state: string;
  readonly epoch: string | null;
  readonly seq: number;
  readonly entries: number;
  readonly digest: 'agrees' | 'differs' | 'unchecked';
  readonly lagChanges: number;
  readonly ageSeconds: number;
}

/** Starts an edge; `folder` may be that of an earlier one with its allowlist on disk. */
export function startEdge(
  store: string,
  options: { folder?: string; config?: ConfigFields } = {},
): Promise<RunningService> {
  const config = { roles: ['edge'], store, ...options.config };
  return RunningService.start({ ...options, config });
}

export function startControl(
  store: string,
  options: { folder?: string; config?: ConfigFields } = {},
): Promise<RunningService> {
  const config = { roles: ['control'], store, dns: { udp: [], tcp: [] }, ...options.config };
  return RunningService.start({ ...options, config });
}

/** Returns the allowlist check of /readyz. */
export async function readiness(edge: RunningService): Promise<Readiness> {
  const reply = await fetch(`${edge.metricsUrl}/readyz`);
  const { checks } = (await reply.json()) as { checks: ({ name: string } & Readiness)[] };
  const found = checks.find(({ name }) => name === 'allowlist')!;
  return found;
}

/** Returns the value of a metric. */
export async function metric(edge: RunningService, name: string): Promise<number> {
  const line = (await edge.metrics()).split('\n').find((text) => text.startsWith(`mediastreamer_${name} `));
  return Number(line?.split(' ')[1] ?? Number.NaN);
}

/** Asks for a catalog name from an address: SERVED or REFUSED. */
export async function ask(edge: RunningService, from: string): Promise<string> {
  return shown(await askUdp(edge.udp, from, { name: FILMS }));
}

/** Waits until `check` returns true; fails with its last value. */
export async function soon(check: () => unknown, timeoutMs = 15_000): Promise<void> {
  for (const startedAt = Date.now(); ; ) {
    const found = await check();
    if (found === true) return;
    if (Date.now() - startedAt > timeoutMs) throw new Error(`waited in vain; last: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function reaches(edge: RunningService, state: string, timeoutMs?: number): Promise<void> {
  return soon(async () => {
    const found = await readiness(edge);
    return found.state === state || found;
  }, timeoutMs);
}

const servers: RedisServer[] = [];
afterAll(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

/** Starts a Redis on the shipped files; it is stopped, and its files removed, after the file's tests. */
export async function startRedis(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await RedisServer.start({ shipped: true, ...options });
  servers.push(server);
  return server;
}

export function listPath(edge: { dataDir: string }): string {
  return join(edge.dataDir, 'last-known-list');
}
