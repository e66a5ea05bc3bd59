import { beforeEach, describe, expect, it } from 'vitest';
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

/** A store of names in memory, and what was settled. */
class Scene {
  nowMs = 1_000_000;
  names: DueHostname[] = [];
  readonly settled: { hostname: string; inSeconds: number; finding: HostnameFinding }[] = [];
  readonly errors: unknown[] = [];
  answers: Record<string, HostnameAnswer | Error> = {};
  isHolder = true;
  random = 0;
  underWay = 0;
  most = 0;
  onResolve: () => Promise<void> = async () => {};

  add(...hostnames: string[]): void {
    this.names.push(...hostnames.map((hostname) => ({ accountId: 'a', id: hostname, hostname })));
  }

  follower(): HostnameFollower {
    const options: HostnameFollowerOptions = {
      hostnames: {
        due: async (limit) => this.names.splice(0, limit),
        settle: async ({ hostname }, finding) => {
          this.settled.push({ hostname, inSeconds: (finding.nextAtMs - this.nowMs) / 1000, finding });
          return true;
        },
      },
      resolve: async (hostname) => {
        this.underWay++;
        this.most = Math.max(this.most, this.underWay);
        await this.onResolve();
        this.underWay--;
        const found = this.answers[hostname] ?? answer(60);
        if (found instanceof Error) throw found;
        return found;
      },
      isHolder: () => this.isHolder,
      now: () => this.nowMs,
      random: () => this.random,
      onError: (error) => this.errors.push(error),
    };
    return new HostnameFollower(options);
  }
}

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});

describe('the follower of host names', () => {
  it('settles what it finds, and comes back when the TTL is over: no sooner than a minute, no later than an hour', async () => {
    scene.answers = {
      'quick.example': answer(5, '198.51.99.1'),
      'usual.example': answer(300, '198.51.99.2', '2a00::1'),
      'slow.example': answer(86_400, '198.51.99.3'),
    };
    scene.add('quick.example', 'usual.example', 'slow.example');
    await scene.follower().poll();
    const seconds = Object.fromEntries(scene.settled.map(({ hostname, inSeconds }) => [hostname, inSeconds]));
    expect(seconds).toEqual({ 'quick.example': 60, 'usual.example': 300, 'slow.example': 3600 });
    expect(scene.settled[1].finding.addresses).toHaveLength(2);
  });

  it('spreads names that were added together', async () => {
    scene.answers = { 'h.example': answer(300, '198.51.99.2') };
    scene.random = 0.5;
    scene.add('h.example');
    await scene.follower().poll();
    expect(scene.settled[0].inSeconds).toBe(330);
  });

  it('keeps what a name had where nobody answers, and tries again later', async () => {
    scene.answers = {
      'dead.example': { addresses: [], families: [], ttlSeconds: 0 },
      'broken.example': new Error('of a test'),
    };
    scene.add('dead.example', 'broken.example');
    await scene.follower().poll();
    expect(scene.settled.map(({ finding, inSeconds }) => [finding.families, inSeconds])).toEqual([
      [[], 300],
      [[], 300],
    ]);
    expect(scene.errors).toHaveLength(1);
  });

  it('looks up a few at a time', async () => {
    scene.add(...Array.from({ length: 100 }, (_, index) => `h${index}.example`));
    scene.onResolve = () => new Promise((resolve) => setImmediate(resolve));
    const follower = scene.follower();
    await follower.poll();
    expect([scene.most, scene.settled.length]).toEqual([8, 64]);
    await follower.poll();
    expect(scene.settled).toHaveLength(100);
  });

  it('does one round at a time, and its stop waits for it', async () => {
    let release = (): void => {};
    scene.onResolve = () => new Promise((resolve) => (release = resolve));
    scene.add('h.example');
    const follower = scene.follower();
    const first = follower.poll();
    expect(follower.poll()).toBe(first);
    await new Promise((resolve) => setImmediate(resolve));
    const stopped = follower.stop();
    release();
    await stopped;
    expect(scene.settled).toHaveLength(1);
  });

  it('rests where another process does the chores', async () => {
    scene.isHolder = false;
    scene.add('h.example');
    await scene.follower().poll();
    expect(scene.settled).toEqual([]);
  });

  it('tells a fault of the store, and goes on', async () => {
    const options = { due: () => Promise.reject(new Error('of a test')), settle: async () => true };
    const follower = new HostnameFollower({
      hostnames: options,
      resolve: async () => answer(60),
      isHolder: () => true,
      now: () => 0,
      random: () => 0,
      onError: (error) => scene.errors.push(error),
    });
    await follower.poll();
    await follower.poll();
    expect(scene.errors).toHaveLength(2);
  });
});
