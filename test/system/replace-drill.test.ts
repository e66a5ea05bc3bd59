/**
 * Restarts under load: no query is lost while a process takes over from another, nor while one restarts on sockets that
 * a supervisor holds. `npm run test:drills` runs ten rounds of each at 5,000 queries a second.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { LoadSummary } from '../../src/load/index.ts';
import { encodeQuery, readReply, shown, TcpClient } from '../support/dns-client.ts';
import { HeldSockets } from '../support/held-sockets.ts';
import {
  type Endpoint,
  FILMS,
  MAIN,
  NODE,
  Program,
  RELAY,
  RunningService,
  SERIES,
  temporaryFolder,
  until,
} from '../support/service.ts';

const ASKED = process.env['MEDIASTREAMER_DRILL_ROUNDS'];
const IS_DRILL = ASKED !== undefined;
const ROUNDS = Math.min(Number(ASKED ?? 3), 10);
/** Queries a second; what two busy processors carry where it is not a drill. */
const RATE = { udp: IS_DRILL ? 4000 : 400, tcp: IS_DRILL ? 1000 : 100 };
/** Latest answers, in ms. A busy machine starts processes late; figures come from drills. */
const LATEST_MS = IS_DRILL ? { replace: 1000, restart: 3000 } : { replace: 10_000, restart: 15_000 };
const PATIENCE_MS = IS_DRILL ? 600_000 : 120_000;
const SOURCES = '127.0.68.0/28';
const HOMES = Array.from({ length: 16 }, (_, i) => `127.0.68.${i}`);
const TCP_CLIENTS = 10;
const STEERED = `NOERROR ${RELAY.us.address}`;
const NO_LIMITS = {
  rateLimit: { perSecond: 100_000, burst: 100_000 },
  tcpLimits: { connectionsPerSource: 100, queriesPerConnection: 1_000_000 },
};

interface Seen {
  readonly answered: number;
  /** Queries without an answer, and with another one than the relay's. */
  readonly lost: number;
  readonly wrong: number;
  readonly latestMs: number;
}

/** The program's own open loop over UDP, until it is ended. */
class UdpLoad {
  private readonly program: Program;

  private constructor(program: Program) {
    this.program = program;
  }

  static async start({ udp, folder }: RunningService): Promise<UdpLoad> {
    const names = join(folder, 'names');
    writeFileSync(names, `${FILMS}\n${SERIES}\n`);
    const rate = ['--rate', `${RATE.udp}`, '--seconds', '600', '--warm-up', '0'];
    const latest = ['--timeout-ms', `${LATEST_MS.restart}`, '--sources', SOURCES, '--names', names];
    const target = ['--target', `127.0.0.1:${udp.port}`];
    const program = new Program(NODE, [MAIN, 'load', ...target, ...rate, ...latest, '--json']);
    await until(() => program.stdout.includes('"answersPerSecond"'), 'the load runs');
    return new UdpLoad(program);
  }

  async end(): Promise<Seen> {
    this.program.kill('SIGINT');
    expect((await this.program.exited).code).toBe(0);
    const summary = JSON.parse(this.program.stdout.trimEnd().split('\n').at(-1)!) as LoadSummary;
    const { answered, lost, rcodes, latencyMs } = summary.registered!;
    return { answered, lost, wrong: answered - (rcodes['NOERROR'] ?? 0), latestMs: latencyMs.max ?? 0 };
  }
}

/**
 * Clients that keep a TCP connection open and ask on it, one query after the other. When it ends without an answer, they ask
 * again on a new one, as RFC 7766 6.2.4 has it.
 */
class TcpLoad {
  private readonly server: Endpoint;
  private readonly done: Promise<unknown>;
  private goesOn = true;
  private answered = 0;
  private lost = 0;
  private wrong = 0;
  private latestMs = 0;

  constructor({ tcp }: RunningService) {
    this.server = tcp;
    this.done = Promise.all(HOMES.slice(0, TCP_CLIENTS).map((home) => this.askOnAndOn(home)));
  }

  async end(): Promise<Seen> {
    this.goesOn = false;
    await this.done;
    const { answered, lost, wrong, latestMs } = this;
    return { answered, lost, wrong, latestMs };
  }

  private async askOnAndOn(home: string): Promise<void> {
    let client: TcpClient | null = null;
    for (let id = 1; this.goesOn; id = (id % 65_535) + 1) {
      const startedMs = performance.now();
      let reply: Buffer | null = null;
      while (reply === null && performance.now() - startedMs < LATEST_MS.restart) {
        client ??= await TcpClient.open(this.server, home).catch(() => null);
        client?.send(encodeQuery({ name: FILMS, id }));
        reply = (await client?.next(id)) ?? null;
        if (reply === null) {
          client?.close();
          client = null;
        }
      }
      if (reply === null) this.lost++;
      else {
        this.answered++;
        if (shown(readReply(reply)) !== STEERED) this.wrong++;
        this.latestMs = Math.max(this.latestMs, performance.now() - startedMs);
      }
      await delay(1000 / (RATE.tcp / TCP_CLIENTS));
    }
    client?.close();
  }
}

/** API calls one after the other, until it is ended: none may fail. */
class Calls {
  private goesOn = true;
  private readonly done: Promise<number>;

  constructor(service: RunningService) {
    const { admin } = service;
    this.done = (async () => {
      let count = 0;
      for (; this.goesOn; count++) await admin.make('/v1/accounts', {});
      return count;
    })();
  }

  async end(): Promise<number> {
    this.goesOn = false;
    return this.done;
  }
}

const config = { dns: { workers: 2, ...NO_LIMITS }, log: { level: 'info' } };

const TAKEOVERS: readonly [sockets: string, isHeld: boolean, cache: string, isCold: boolean][] = [
  ['its own sockets', false, 'a cold', true],
  ['inherited sockets', true, 'a warm', false],
];
const MORE_TAKEOVERS: typeof TAKEOVERS = [
  ['its own sockets', false, 'a warm', false],
  ['inherited sockets', true, 'a cold', true],
];

it.each(IS_DRILL ? [...TAKEOVERS, ...MORE_TAKEOVERS] : TAKEOVERS)(
  'a process on %s is taken over from (held: %s) with %s compile cache (cold: %s): no query and no call is lost',
  async (_, isHeld, __, isCold) => {
    const cache = temporaryFolder();
    const env = { NODE_COMPILE_CACHE: join(cache, 'compiled') };
    const sockets = new HeldSockets();
    if (isHeld) {
      sockets.udp('dns-udp', 2);
      sockets.tcp('dns-tcp', 2);
      sockets.tcp('control', 1);
    }
    let service = isHeld
      ? await sockets.start(temporaryFolder(), { config, env })
      : await RunningService.start({ config, env });
    await service.household(HOMES);
    const loads = [await UdpLoad.start(service), new TcpLoad(service)];
    const calls = new Calls(service);
    // They live on for the load's TCP connections, two at a time.
    const old: RunningService[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      if (isCold) rmSync(env.NODE_COMPILE_CACHE, { recursive: true, force: true });
      old.push(service);
      service = await RunningService.start({ folder: service.folder, args: ['--replace'], env });
    }
    expect(await calls.end()).toBeGreaterThan(ROUNDS);
    await judge(loads, LATEST_MS.replace, `${isHeld ? 'held' : 'own'} sockets, ${isCold ? 'cold' : 'warm'}`);
    for (const { exited, stderr } of old) {
      expect(await exited).toEqual({ code: 0, signal: null });
      expect(stderr).toBe('');
    }
    await service.stop();
    sockets.close();
  },
  PATIENCE_MS,
);

it(
  'that restarts on sockets that are held loses no query',
  async () => {
    const sockets = new HeldSockets();
    sockets.udp('dns-udp', 2);
    sockets.tcp('dns-tcp', 2);
    let service = await sockets.start(temporaryFolder(), { config });
    await service.household(HOMES);
    const loads = [await UdpLoad.start(service), new TcpLoad(service)];
    for (let round = 0; round < ROUNDS; round++) {
      expect(await service.stop()).toEqual({ code: 0, signal: null });
      service = await sockets.start(service.folder);
    }
    await judge(loads, LATEST_MS.restart, 'restarts');
    await service.stop();
    sockets.close();
  },
  PATIENCE_MS,
);

async function judge(
  loads: readonly { end(): Promise<Seen> }[],
  latestMs: number,
  what: string,
): Promise<void> {
  const all = await Promise.all(loads.map((load) => load.end()));
  for (const [index, seen] of all.entries()) {
    expect(seen).toMatchObject({ lost: 0, wrong: 0 });
    expect(seen.answered).toBeGreaterThan(100);
    expect(seen.latestMs).toBeLessThan(latestMs);
    if (!IS_DRILL) continue;
    const figures = `${seen.answered} answered, ${seen.lost} lost, the latest after ${seen.latestMs.toFixed(0)} ms`;
    process.stdout.write(`${ROUNDS} rounds, ${what}, ${index === 0 ? 'UDP' : 'TCP'}: ${figures}\n`);
  }
}
