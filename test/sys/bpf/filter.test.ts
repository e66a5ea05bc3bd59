/** Maps and filters in this machine's kernel. Where it refuses them, each test checks the reason instead. */
import { afterEach, describe, expect, it } from 'vitest';
import {
  add,
  assemble,
  attachFilter,
  BATCH_ENTRIES,
  BpfError,
  BpfMap,
  BpfMapType,
  call,
  detachFilter,
  exit,
  jumpIf,
  type Line,
  label,
  load,
  loadSocketFilter,
  move,
  Register,
  set,
  setMap,
  store,
  storeNumber,
} from '../../../src/sys/bpf/index.ts';
import { closeSocket, localPort, PacketBatch } from '../../../src/sys/index.ts';
import { closeAll, open, Peer } from '../support.ts';

const { R0, R1, R2, R6, FRAME } = Register;
const MAP_LOOKUP = 1;
const WHOLE = 0x7fffffff;
const maps: BpfMap[] = [];
const programs: number[] = [];

afterEach(() => {
  closeAll();
  for (const map of maps.splice(0)) map.close();
  for (const program of programs.splice(0)) closeSocket(program);
});

/** The kernel's refusal, or null. */
const refusal = ((): BpfError | null => {
  try {
    new BpfMap({ type: BpfMapType.HASH, name: 'probe', keyBytes: 4, valueBytes: 1, maxEntries: 1 }).close();
    return null;
  } catch (error) {
    return error as BpfError;
  }
})();

/** A test for kernels that accept programs; elsewhere it checks that the refusal says why. */
function promises(what: string, body: () => Promise<void> | void): void {
  it(what, async () => {
    if (refusal === null) return body();
    expect(refusal).toBeInstanceOf(BpfError);
    expect(refusal.reason).toMatch(/CAP_BPF|kernel|memory/);
  });
}

function hash(maxEntries: number, keyBytes = 4): BpfMap {
  const map = new BpfMap({ type: BpfMapType.HASH, name: 'test', keyBytes, valueBytes: 1, maxEntries });
  maps.push(map);
  return map;
}

function program(...lines: Line[]): number {
  const fd = loadSocketFilter('test', assemble(lines));
  programs.push(fd);
  return fd;
}

const key = (number: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
};
const VALUE = new Uint8Array(1);

describe('a map', () => {
  promises('holds what was set, until it is deleted', () => {
    const map = hash(8);
    expect(map.has(key(1))).toBe(false);
    expect(map.set(key(1), VALUE)).toBe(true);
    expect(map.has(key(1))).toBe(true);
    expect(map.delete(key(1))).toBe(true);
    expect(map.has(key(1))).toBe(false);
    expect(map.delete(key(1))).toBe(false);
  });

  promises('says when it is full, by one entry and by many', () => {
    const map = hash(4);
    for (let i = 0; i < 4; i++) expect(map.set(key(i), VALUE)).toBe(true);
    expect(map.set(key(9), VALUE)).toBe(false);
    expect(map.set(key(3), VALUE)).toBe(true);
    const many = new Uint8Array(4 * 16).map((_, i) => i);
    expect(hash(4).setAll(many, new Uint8Array(16), 16)).toBe(false);
  });

  promises('takes many entries at once', () => {
    const map = hash(2 * BATCH_ENTRIES, 8);
    const keys = new Uint8Array(8 * BATCH_ENTRIES);
    const view = new DataView(keys.buffer);
    for (let i = 0; i < BATCH_ENTRIES; i++) view.setUint32(i * 8, i);
    expect(map.setAll(keys, new Uint8Array(BATCH_ENTRIES), BATCH_ENTRIES)).toBe(true);
    expect(map.has(keys.subarray(0, 8))).toBe(true);
    expect(map.has(keys.subarray(8 * (BATCH_ENTRIES - 1)))).toBe(true);
    expect(map.has(Uint8Array.from([0, 0, 0x20, 0, 0, 0, 0, 0]))).toBe(false);
  });

  it('of no possible kind is a refusal with a code and a reason', () => {
    const attempt = () =>
      new BpfMap({ type: BpfMapType.ARRAY, name: 'test', keyBytes: 3, valueBytes: 1, maxEntries: 1 });
    expect(attempt).toThrow(BpfError);
    expect(attempt).toThrow(/^a map of 1 entries failed: E/);
  });
});

describe('a filter', () => {
  const receive = (fd: number): number => new PacketBatch(8, 512, false).receive(fd, false);

  promises("that gives 0 drops a socket's packets, until it is taken away", async () => {
    const fd = open('127.0.0.1');
    const peer = await Peer.on('127.0.0.1');
    attachFilter(fd, program(set(R0, 0), exit()));
    await peer.send('dropped', localPort(fd), '127.0.0.1');
    expect(receive(fd)).toBe(0);
    detachFilter(fd);
    await peer.send('passed', localPort(fd), '127.0.0.1');
    expect(receive(fd)).toBe(1);
  });

  promises('takes the place of another', async () => {
    const fd = open('127.0.0.1');
    const peer = await Peer.on('127.0.0.1');
    attachFilter(fd, program(set(R0, 0), exit()));
    attachFilter(fd, program(set(R0, WHOLE), exit()));
    await peer.send('passed', localPort(fd), '127.0.0.1');
    expect(receive(fd)).toBe(1);
  });

  promises('counts in a map of which each processor has its part', async () => {
    const counts = new BpfMap({
      type: BpfMapType.PER_CPU_ARRAY,
      name: 'counts',
      keyBytes: 4,
      valueBytes: 16,
      maxEntries: 1,
    });
    maps.push(counts);
    const fd = open('127.0.0.1');
    const peer = await Peer.on('127.0.0.1');
    const counting = program(
      ...[move(R6, R1), storeNumber(4, FRAME, -4, 0), setMap(R1, counts.fd)],
      ...[move(R2, FRAME), add(R2, -4), call(MAP_LOOKUP), jumpIf(R0, '==', 0, 'end')],
      ...[load(8, R1, R0, 8), add(R1, 1), store(8, R0, 8, R1)],
      ...[label('end'), set(R0, 0), exit()],
    );
    attachFilter(fd, counting);
    for (let i = 0; i < 5; i++) await peer.send('x', localPort(fd), '127.0.0.1');
    expect([counts.sum(0, 0), counts.sum(0, 8)]).toEqual([0, 5]);
  });

  promises('that the verifier refuses is refused with what it says', () => {
    const unset = () => program(move(R0, R6), exit());
    expect(unset).toThrow(/the verifier refuses it/);
    try {
      unset();
    } catch (error) {
      expect((error as BpfError).verifierLog).toContain('R6 !read_ok');
    }
  });
});
