import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeAllowlistFile, encodeAllowlistFile } from '../../src/allowlist/allowlist-file.ts';
import { AllowlistFile, AllowlistKeeper } from '../../src/allowlist/index.ts';
import type { Profile, Snapshot } from '../../src/feed/index.ts';

const US: Profile = { region: 'us', services: { films: 'gb' }, ipv4: true, ipv6: false };

function snapshot(seq: number, epoch = 'e1', hosts: readonly number[] = [1, 2, 3]): Snapshot {
  const group = {
    family: 4,
    length: 32,
    count: hosts.length,
    keys: Uint8Array.from(hosts.flatMap((last) => [192, 0, 2, last])),
    profiles: new Uint16Array(hosts.length),
  } as const;
  return { version: 1, epoch, seq, profiles: [US], groups: [group] };
}

let directory: string;
let file: AllowlistFile;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'list-'));
  file = new AllowlistFile(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('the last known allowlist on disk', () => {
  test('comes back unchanged, with the time it was made', async () => {
    const list = { snapshot: snapshot(7), madeAtMs: 1_700_000_000_123 };
    expect(await file.read()).toBeNull();
    expect(await file.write(list)).toBe(true);
    const read = (await file.read())!;
    expect(read.madeAtMs).toBe(list.madeAtMs);
    expect({ ...read.snapshot.groups[0], keys: [...read.snapshot.groups[0].keys] }).toEqual({
      ...list.snapshot.groups[0],
      keys: [...list.snapshot.groups[0].keys],
    });
    expect(read.snapshot).toMatchObject({ epoch: 'e1', seq: 7, profiles: [US] });
  });

  test('is readable by its owner only, and leaves no other file', async () => {
    writeFileSync(`${file.path}.new`, 'of a crash');
    chmodSync(`${file.path}.new`, 0o644);
    await file.write({ snapshot: snapshot(7), madeAtMs: 0 });
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['last-known-list']);
  });

  test('drops the rest of a write that a crash cut off', async () => {
    writeFileSync(`${file.path}.new`, 'of a crash');
    await file.clear();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('is rejected with any one bit flipped', () => {
    const whole = encodeAllowlistFile({ snapshot: snapshot(7), madeAtMs: 1_700_000_000_123 });
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Buffer.from(whole);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      expect(() => decodeAllowlistFile(flipped), `bit ${bit}`).toThrow(/corrupt|version/);
    }
  });

  test('is rejected when truncated or extended', () => {
    const whole = encodeAllowlistFile({ snapshot: snapshot(7), madeAtMs: 1 });
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeAllowlistFile(whole.subarray(0, length)), `${length} bytes`).toThrow(/corrupt/);
    }
    expect(() => decodeAllowlistFile(Buffer.concat([whole, Buffer.of(0)]))).toThrow(/corrupt/);
  });

  test('names the unknown version', async () => {
    await file.write({ snapshot: snapshot(7), madeAtMs: 1 });
    const later = readFileSync(file.path);
    later.writeUInt16BE(2, 6);
    writeFileSync(file.path, later);
    await expect(file.read()).rejects.toMatchObject({ code: 'list_file_version_unknown' });
  });

  test('is not replaced by an older one of its epoch, but by any other', async () => {
    await file.write({ snapshot: snapshot(7), madeAtMs: 1 });
    expect(await file.write({ snapshot: snapshot(6), madeAtMs: 2 })).toBe(false);
    expect((await file.read())!.snapshot.seq).toBe(7);
    expect(await file.write({ snapshot: snapshot(7), madeAtMs: 3 })).toBe(true);
    expect(await file.write({ snapshot: snapshot(1, 'e2'), madeAtMs: 4 })).toBe(true);
    expect((await file.read())!.snapshot).toMatchObject({ epoch: 'e2', seq: 1 });
  });

  test('does not keep its place by a newer seq when it is damaged', async () => {
    await file.write({ snapshot: snapshot(7), madeAtMs: 1 });
    const damaged = readFileSync(file.path);
    damaged[damaged.length - 1] ^= 1;
    writeFileSync(file.path, damaged);
    expect(await file.write({ snapshot: snapshot(6), madeAtMs: 2 })).toBe(true);
    expect((await file.read())!.snapshot.seq).toBe(6);
  });
});

describe('the keeper', () => {
  function keeping(options: { tookMs?: number } = {}) {
    const written: number[] = [];
    const timers: { callback: () => void; delayMs: number }[] = [];
    const at = { epoch: 'e1', seq: 1 as number, has: true, nowMs: 0, fails: false };
    const errors: unknown[] = [];
    const keeper = new AllowlistKeeper({
      file: {
        write: async ({ snapshot: { seq } }) => {
          if (at.fails) throw new Error('disk full');
          at.nowMs += options.tookMs ?? 0;
          written.push(seq);
          return true;
        },
      },
      position: () => (at.has ? { epoch: at.epoch, seq: at.seq } : null),
      take: () => ({ snapshot: snapshot(at.seq), madeAtMs: at.nowMs }),
      now: () => at.nowMs,
      onError: (error) => errors.push(error),
      setTimer: (callback, delayMs) => {
        timers.push({ callback, delayMs });
        return () => {};
      },
    });
    keeper.start();
    const tick = async (): Promise<void> => {
      const { callback, delayMs } = timers.shift()!;
      at.nowMs += delayMs;
      callback();
      await new Promise((resolve) => void setImmediate(resolve));
    };
    return { keeper, at, written, timers, tick, errors };
  }

  test('writes once, some seconds after many changes, and only after a change', async () => {
    const { at, written, tick } = keeping();
    await tick();
    at.seq = 5;
    at.seq = 9;
    await tick();
    await tick();
    await tick();
    expect(written).toEqual([1, 9]);
  });

  test('rewrites an unchanged allowlist after ten minutes, so that its age stays true', async () => {
    const { at, written, tick } = keeping();
    await tick();
    at.nowMs += 600_000;
    await tick();
    expect(written).toEqual([1, 1]);
  });

  test('spends at most a twentieth of the time writing', async () => {
    const { tick, timers } = keeping({ tookMs: 2_000 });
    await tick();
    expect(timers[0].delayMs).toBe(40_000);
  });

  test('writes nothing without an allowlist, and pending changes at a stop', async () => {
    const { at, keeper, written, tick } = keeping();
    at.has = false;
    await tick();
    at.has = true;
    await keeper.stop();
    await keeper.stop();
    expect(written).toEqual([1]);
  });

  test('reports a failed write and tries again', async () => {
    const { at, written, tick, errors } = keeping();
    at.fails = true;
    await tick();
    at.fails = false;
    await tick();
    expect([errors.length, written]).toEqual([1, [1]]);
  });
});
