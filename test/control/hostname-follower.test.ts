import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type HostnameAnswer,
  HostnameFollower,
  type HostnameFollowerOptions,
} from '../../src/control/index.ts';
import { parseAddress } from '../../src/net/index.ts';
import type { DueHostname, HostnameFinding } from '../../src/registry/index.ts';

const answer = (ttlSeconds: number, ...addresses: string[]): HostnameAnswer => ({
  addresses: addresses.map((text) => parseAddress(text)!),
  families: [4, 6],
  ttlSeconds,
});

/** A store in memory whose names stay due until they are settled, and a resolver with scripted answers. */
class Scene {
  nowMs = 1_000_000;
  names: DueHostname[] = [];
  readonly settled: { hostname: string; inSeconds: number; finding: HostnameFinding }[] = [];
  readonly errors: unknown[] = [];
  readonly signals = new Map<string, AbortSignal>();
  answers: Record<string, HostnameAnswer | Error> = {};
  isLeader = true;
  random = 0;
  inProgress = 0;
  most = 0;
  /** Milliseconds that a look-up takes; null: no answer ever. */
  delayMs: (hostname: string) => number | null = () => 0;
  readonly follower = new HostnameFollower(this.options());

  /** Adds a name to an account of its own, or to the given one. */
  add(hostname: string, accountId = hostname): void {
    this.names.push({ accountId, id: hostname, hostname } as DueHostname);
  }

  hostnames(): string[] {
    return this.settled.map(({ hostname }) => hostname);
  }

  private options(): HostnameFollowerOptions {
    return {
      hostnames: {
        due: async (limit) => this.names.slice(0, limit),
        settle: async (due, finding) => {
          const { hostname } = due;
          this.names = this.names.filter(({ id }) => id !== due.id);
          this.settled.push({ hostname, inSeconds: (finding.nextAtMs - this.nowMs) / 1000, finding });
          return true;
        },
      },
      resolve: async (hostname, signal) => {
        this.signals.set(hostname, signal);
        this.inProgress += 1;
        this.most = Math.max(this.most, this.inProgress);
        const delayMs = this.delayMs(hostname);
        if (delayMs !== 0) await new Promise((resolve) => delayMs !== null && setTimeout(resolve, delayMs));
        else await null;
        this.inProgress -= 1;
        const found = this.answers[hostname] ?? answer(60);
        if (found instanceof Error) throw found;
        return found;
      },
      isLeader: () => this.isLeader,
      now: () => this.nowMs,
      random: () => this.random,
      onError: (error) => this.errors.push(error),
    };
  }
}

let scene: Scene;
beforeEach(() => {
  vi.useFakeTimers();
  scene = new Scene();
});
afterEach(() => {
  vi.useRealTimers();
});

async function run(): Promise<void> {
  await scene.follower.poll();
  await scene.follower.idle();
}

describe('the follower of host names', () => {
  it('settles its findings, and returns after the TTL: at least a minute, at most an hour', async () => {
    scene.answers = {
      'quick.example': answer(5, '198.51.99.1'),
      'usual.example': answer(300, '198.51.99.2', '2a00::1'),
      'slow.example': answer(86_400, '198.51.99.3'),
    };
    for (const name of Object.keys(scene.answers)) scene.add(name);
    await run();
    const seconds = Object.fromEntries(scene.settled.map(({ hostname, inSeconds }) => [hostname, inSeconds]));
    expect(seconds).toEqual({ 'quick.example': 60, 'usual.example': 300, 'slow.example': 3600 });
    expect(scene.settled[1]!.finding.addresses).toHaveLength(2);
  });

  it('spreads names that were added together', async () => {
    scene.answers = { 'h.example': answer(300, '198.51.99.2') };
    scene.random = 0.5;
    scene.add('h.example');
    await run();
    expect(scene.settled[0]!.inSeconds).toBe(330);
  });

  it('keeps the addresses of a name without an answer, and tries again later', async () => {
    scene.answers = {
      'dead.example': { addresses: [], families: [], ttlSeconds: 0 },
      'broken.example': new Error('of a test'),
    };
    for (const name of Object.keys(scene.answers)) scene.add(name);
    await run();
    expect(scene.settled.map(({ finding, inSeconds }) => [finding.families, inSeconds])).toEqual([
      [[], 300],
      [[], 300],
    ]);
    expect(scene.errors).toHaveLength(1);
  });

  it('works off a backlog at once, many names at a time', async () => {
    for (let index = 0; index < 10_000; index += 1) scene.add(`h${index}.example`);
    await run();
    while (scene.names.length > 0) await run();
    expect([scene.most, scene.settled.length, scene.follower.due]).toEqual([256, 10_000, 0]);
    expect(new Set(scene.hostnames()).size).toBe(10_000);
  });

  it('looks up one name of an account at a time', async () => {
    for (let index = 0; index < 5; index += 1) scene.add(`h${index}.example`, 'one');
    scene.delayMs = () => 10;
    const done = run();
    await vi.advanceTimersByTimeAsync(60);
    await done;
    expect([scene.most, scene.settled.length]).toEqual([1, 5]);
  });

  it('looks up an honest name at once while 8 accounts have 5 slow names each (M5)', async () => {
    scene.delayMs = (hostname) => (hostname.endsWith('evil.example') ? 900 : 0);
    for (let index = 0; index < 40; index += 1) scene.add(`h${index}.evil.example`, `evil${index % 8}`);
    await scene.follower.poll();
    scene.add('home.good.example');
    await scene.follower.poll();
    await vi.advanceTimersByTimeAsync(0);
    expect(scene.hostnames()).toEqual(['home.good.example']);
  });

  it('lets names that never answer hold a slot for half a second only, the first time', async () => {
    scene.delayMs = (hostname) => (hostname.endsWith('evil.example') ? null : 0);
    for (let index = 0; index < 600; index += 1) scene.add(`h${index}.evil.example`);
    scene.add('home.good.example');
    await scene.follower.poll();
    await vi.advanceTimersByTimeAsync(1001);
    expect(scene.hostnames()).toEqual(['home.good.example']);
  });

  it('gives slow names a lane of their own the next time', async () => {
    scene.delayMs = (hostname) => (hostname.endsWith('evil.example') ? 900 : 0);
    const evil = Array.from({ length: 200 }, (_, index) => `h${index}.evil.example`);
    for (const name of evil) scene.add(name);
    await scene.follower.poll();
    await vi.advanceTimersByTimeAsync(1000);
    expect(scene.settled).toHaveLength(200);
    scene.settled.length = 0;
    scene.most = 0;
    for (const name of evil) scene.add(name);
    await scene.follower.poll();
    await vi.advanceTimersByTimeAsync(800);
    expect(scene.most, 'slots of the slow lane').toBe(32);
  });

  it('ends a look-up after 5 s in all', async () => {
    scene.delayMs = () => null;
    scene.add('never.example');
    await scene.follower.poll();
    await vi.advanceTimersByTimeAsync(4999);
    expect([scene.settled.length, scene.signals.get('never.example')!.aborted]).toEqual([0, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect([scene.settled[0]!.finding.families, scene.signals.get('never.example')!.aborted]).toEqual([
      [],
      true,
    ]);
  });

  it('does not look up names of suspended accounts, and returns to them in an hour', async () => {
    scene.names.push({ accountId: 'a', id: 'h', hostname: 'h.example', suspended: true });
    await run();
    expect([scene.most, scene.settled[0]!.inSeconds]).toEqual([0, 3600]);
  });

  it('counts the names that are due', async () => {
    scene.delayMs = () => 10;
    for (let index = 0; index < 300; index += 1) scene.add(`h${index}.example`);
    await scene.follower.poll();
    expect(scene.follower.due).toBe(300);
    await vi.advanceTimersByTimeAsync(30);
    expect(scene.follower.due).toBe(0);
  });

  it('drops waiting names at its stop, and waits for look-ups in progress', async () => {
    scene.delayMs = () => 10;
    for (let index = 0; index < 300; index += 1) scene.add(`h${index}.example`);
    await scene.follower.poll();
    const stopped = scene.follower.stop();
    await vi.advanceTimersByTimeAsync(20);
    await stopped;
    expect(scene.settled).toHaveLength(256);
  });

  it('rests while another process is the leader', async () => {
    scene.isLeader = false;
    scene.add('h.example');
    await run();
    expect(scene.settled).toEqual([]);
  });

  it('reports an error of the store, and goes on', async () => {
    const failing = { due: () => Promise.reject(new Error('of a test')), settle: async () => true };
    const follower = new HostnameFollower({
      hostnames: failing,
      resolve: async () => answer(60),
      isLeader: () => true,
      now: () => 0,
      random: () => 0,
      onError: (error) => scene.errors.push(error),
    });
    await follower.poll();
    await follower.poll();
    expect(scene.errors).toHaveLength(2);
  });
});
