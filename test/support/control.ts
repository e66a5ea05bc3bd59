import { createHash } from 'node:crypto';
import type { InjectOptions, Response } from 'light-my-request';
import { type ControlOptions, type ControlServer, createControl } from '../../src/control/index.ts';
import { parseAddress, parsePrefix } from '../../src/net/index.ts';
import { MemoryRegistry } from './memory-registry.ts';

export const ADMIN_KEY = 'admin-key-of-the-tests';
/** The address that calls come from unless a test says otherwise. */
export const HOME = '198.51.99.7';

type Fields = Record<string, string | string[]>;

/** A control API with a clock that stands still and a log that is kept; over a registry in memory by default. */
export class ControlBench {
  readonly clock: { nowMs: number };
  regions: string[] = ['us', 'gb'];
  services: { id: string; title: string; regions: string[] }[] = [
    { id: 'netflix', title: 'Netflix', regions: ['us', 'gb'] },
    { id: 'hulu', title: 'Hulu', regions: ['us', 'jp'] },
  ];
  readonly lines: unknown[] = [];
  /** Stands in for the registry unless a test hands in another. */
  readonly registry: MemoryRegistry;
  control!: ControlServer;
  /** The addresses of all host names. */
  namesPointAt = [parseAddress(HOME)!];

  constructor(clock: { nowMs: number }) {
    this.clock = clock;
    this.registry = new MemoryRegistry({ now: () => clock.nowMs });
  }

  static async make(
    options: Partial<ControlOptions> = {},
    clock = { nowMs: Date.UTC(2026, 0, 1) },
  ): Promise<ControlBench> {
    const bench = new ControlBench(clock);
    bench.control = await createControl({
      registry: bench.registry,
      lookUpHost: async () => ({ addresses: bench.namesPointAt, families: [4, 6], ttlSeconds: 60 }),
      adminKeys: () => [createHash('sha256').update(ADMIN_KEY).digest()],
      trustedProxies: [parsePrefix('10.0.0.0/8')!, parsePrefix('fd00::/8')!],
      regions: () => bench.regions,
      services: () => bench.services,
      catalogVersion: () => '12',
      publicUrl: 'https://dns.example.net',
      version: '1.2.3',
      logger: { error: (fields, message) => bench.lines.push({ ...fields, message }) },
      now: () => clock.nowMs,
      ...options,
    });
    return bench;
  }

  /** Calls with a key, or none, from an address. */
  call(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT' | 'OPTIONS' | 'HEAD',
    url: string,
    {
      key,
      body,
      from = HOME,
      headers = {},
    }: { key?: string; body?: object; from?: string; headers?: Fields } = {},
  ): Promise<Response> {
    const options: InjectOptions = {
      method,
      url,
      remoteAddress: from,
      headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers },
      ...(body === undefined ? {} : { payload: body }),
    };
    return this.control.app.inject(options) as Promise<Response>;
  }

  /** Makes an account. */
  async account(body: object = {}): Promise<{ id: string; secret: string }> {
    return (await this.call('POST', '/v1/accounts', { key: ADMIN_KEY, body })).json();
  }
}
