/**
 * The shield on real sockets, with the test's clock. Where the kernel refuses filters, it must say so and stay off.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { AllowlistTable, type ProfileId } from '../../../../src/allowlist/index.ts';
import { Shield, type ShieldOptions } from '../../../../src/dns/index.ts';
import { parsePrefix } from '../../../../src/net/index.ts';
import { BpfError } from '../../../../src/sys/bpf/index.ts';
import { localPort, PacketBatch } from '../../../../src/sys/index.ts';
import { closeAll, open, Peer } from '../../../sys/support.ts';
import { promises as promisesWith } from './kernel.ts';

const PROFILE = 1 as ProfileId;
const HOME = '127.0.9.1';
const STRANGER = '127.0.9.99';

interface Site {
  readonly table: AllowlistTable;
  readonly shield: Shield;
  readonly events: string[];
  /** Looks once, after `ms` and `packets`. */
  look(packets?: number, ms?: number): void;
  /** Sends from an address to a socket. @returns true if it arrives */
  comes(from: string, socket?: number): Promise<boolean>;
}

const sites: Site[] = [];
afterEach(() => {
  for (const { shield } of sites.splice(0)) shield.close();
  closeAll();
});

function site(options: Partial<ShieldOptions> = {}): Site {
  const table = new AllowlistTable();
  table.set(parsePrefix(`${HOME}/32`)!, PROFILE);
  const fds = [open('127.0.0.1'), open('127.0.0.1')];
  const batch = new PacketBatch(8, 512, false);
  const events: string[] = [];
  let look = (): void => {};
  let flood = 0;
  let nowMs = 0;
  const made: Site = {
    table,
    events,
    look(packets = 0, ms = 100) {
      flood += packets;
      nowMs += ms;
      look();
    },
    async comes(from, socket = 0) {
      const peer = await Peer.on(from);
      await peer.send('query', localPort(fds[socket]), '127.0.0.1');
      return batch.receive(fds[socket], false) === 1;
    },
    shield: new Shield({
      always: false,
      engagePerSecond: 1000,
      samplePerSecond: 1,
      holdSeconds: 10,
      table,
      exempt: [],
      sockets: fds.map((fd) => ({ family: 4, fd })),
      random: () => 0x5eed1234,
      unregistered: () => flood,
      now: () => nowMs,
      events: {
        engaged: ({ entries }) => events.push(`engaged with ${entries}`),
        disengaged: ({ cause, dropped }) => events.push(`disengaged: ${cause}, dropped ${dropped}`),
        failed: ({ code }) => events.push(`failed: ${code}`),
      },
      setTimer: (callback) => {
        look = callback;
        return () => {
          look = () => {};
        };
      },
      ...options,
    }),
  };
  sites.push(made);
  return made;
}

/** A site with the filter attached, in a flood of a million packets a second. */
async function engaged(options: Partial<ShieldOptions> = {}): Promise<Site> {
  const made = site(options);
  made.look(100_000);
  made.look(100_000);
  await settled(made);
  expect(made.shield.status.state).toBe('engaged');
  return made;
}

/** Waits for the filling, which yields to the event loop. */
async function settled({ shield }: Site): Promise<void> {
  for (let turn = 0; turn < 1000 && shield.status.state === 'engaging'; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function promises(what: string, body: () => Promise<void>): void {
  promisesWith(what, body, () => {
    expect(() => site()).toThrow(BpfError);
  });
}

describe('the shield', () => {
  promises('is off while there is no flood', async () => {
    const quiet = site();
    for (let i = 0; i < 20; i++) quiet.look(90);
    expect(quiet.shield.status).toMatchObject({ state: 'ready', engagements: 0, entries: 0 });
    expect(await quiet.comes(STRANGER)).toBe(true);
  });

  promises('keeps strangers away in a flood, from every socket, and never who is registered', async () => {
    const { comes, shield, events } = await engaged();
    for (const socket of [0, 1]) {
      expect(await comes(HOME, socket)).toBe(true);
      expect(await comes(STRANGER, socket)).toBe(false);
    }
    expect(shield.status).toMatchObject({ engagements: 1, dropped: 2, sampled: 0, entries: 1 });
    expect(events).toEqual(['engaged with 1']);
  });

  promises('passes who registers meanwhile at once', async () => {
    const { table, comes } = await engaged();
    expect(await comes(STRANGER)).toBe(false);
    table.set(parsePrefix(`${STRANGER}/32`)!, PROFILE);
    expect(await comes(STRANGER)).toBe(true);
    table.set(parsePrefix(`${HOME}/32`)!, 2 as ProfileId);
    expect(await comes(HOME)).toBe(true);
  });

  promises('has an entry before the table has it', async () => {
    const { table, shield } = await engaged();
    const entries: [number, number][] = [];
    table.onReplaced(() => entries.push([table.size, shield.status.entries]));
    // Growth publishes the table anew; the entry that made it grow is then in neither, or in the shield.
    for (let i = 0; i < 1000; i++) {
      table.set(parsePrefix(`127.1.${i >> 8}.${i & 255}/32`)!, PROFILE);
      expect(shield.status.entries).toBe(table.size);
    }
    expect(entries.length).toBeGreaterThan(0);
    expect(entries.every(([listed, passing]) => passing >= listed)).toBe(true);
  });

  promises('knows what was added while it was filled', async () => {
    // Time passes at each reading of the clock, so that each slice of work is a turn.
    let nowMs = 0;
    const made = site({ now: () => (nowMs += 10) });
    for (let i = 0; i < 40_000; i++) made.table.set(parsePrefix(`127.2.${i >> 8}.${i & 255}/32`)!, PROFILE);
    made.look(100_000);
    made.look(100_000);
    expect(made.shield.status.state).toBe('engaging');
    await new Promise((resolve) => setImmediate(resolve));
    expect(made.shield.status.state).toBe('engaging');
    made.table.remove(parsePrefix(`${HOME}/32`)!);
    made.table.set(parsePrefix('127.3.0.1/32')!, PROFILE);
    made.table.set(parsePrefix(`${HOME}/32`)!, PROFILE);
    await settled(made);
    for (const source of ['127.3.0.1', HOME, '127.2.0.0', '127.2.156.63']) {
      expect(await made.comes(source)).toBe(true);
    }
    expect(await made.comes(STRANGER)).toBe(false);
  });

  promises(
    'is off before a length is listed that it has no map for, and knows it at the next look',
    async () => {
      const made = await engaged();
      made.table.set(parsePrefix('127.4.0.0/16')!, PROFILE);
      expect(made.shield.status.state).toBe('ready');
      expect(await made.comes('127.4.9.9')).toBe(true);
      made.look(100_000);
      await settled(made);
      expect([await made.comes('127.4.9.9'), await made.comes(STRANGER)]).toEqual([true, false]);
      expect(made.events).toEqual(['engaged with 1', 'disengaged: full, dropped 0', 'engaged with 2']);
    },
  );

  promises('is off before it would be full', async () => {
    const made = await engaged();
    // The smallest set has 64 KiB, at most one byte a prefix.
    for (let i = 0; i < 65_536; i++) made.table.set(parsePrefix(`127.5.${i >> 8}.${i & 255}/32`)!, PROFILE);
    expect(made.shield.status.state).toBe('ready');
    expect(made.events.at(-1)).toBe('disengaged: full, dropped 0');
    made.look(100_000);
    await settled(made);
    expect(made.events.at(-1)).toBe('engaged with 65537');
  });

  promises('is off before another list is served, also while it is being filled', async () => {
    const made = await engaged();
    const keys = Uint8Array.from([127, 6, 0, 1]);
    const group = { family: 4 as const, length: 32, count: 1, keys, profiles: new Uint16Array(1) };
    made.table.load([group], [PROFILE]);
    expect([made.shield.status.state, made.events.at(-1)]).toEqual([
      'ready',
      'disengaged: replaced, dropped 0',
    ]);
    made.look(100_000);
    made.table.load([group], [PROFILE]);
    made.look(100_000);
    await settled(made);
    expect([await made.comes('127.6.0.1'), await made.comes(HOME)]).toEqual([true, false]);
    expect(made.shield.status).toMatchObject({ engagements: 2, entries: 1 });
  });

  promises('is taken off when the flood is over, and keeps its counts', async () => {
    const made = await engaged();
    for (let i = 0; i < 5; i++) await made.comes(STRANGER);
    made.look(0, 1000);
    made.look(0, 10_000);
    expect(made.shield.status).toMatchObject({ state: 'ready', engagements: 1, dropped: 5, entries: 0 });
    expect(made.events.at(-1)).toBe('disengaged: calm, dropped 5');
    expect(await made.comes(STRANGER)).toBe(true);
    made.look(0, 100);
    expect(made.shield.status.state).toBe('ready');
  });

  promises('passes all of a flood that is below the sample', async () => {
    const { comes, look, shield } = await engaged({ samplePerSecond: 900 });
    look(0, 1000);
    for (let i = 0; i < 20; i++) expect(await comes(STRANGER)).toBe(true);
    expect(shield.status.sampled).toBe(20);
  });

  promises('passes balancers, which are not listed', async () => {
    const { comes } = await engaged({
      exempt: ['127.7.0.0/16', `${STRANGER}/32`].map((text) => parsePrefix(text)!),
    });
    expect([await comes('127.7.1.1'), await comes(STRANGER), await comes('127.8.0.1')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  promises('that is always on needs no flood, and no end of one', async () => {
    const made = site({ always: true });
    made.look();
    await settled(made);
    made.look(0, 60_000);
    made.look(0, 60_000);
    expect([await made.comes(HOME), made.shield.status.state]).toEqual([true, 'engaged']);
  });

  promises('leaves the sockets as they were when it is closed, in use or half made', async () => {
    const made = await engaged();
    made.shield.close();
    expect(await made.comes(STRANGER)).toBe(true);
    const half = site();
    half.look(100_000);
    half.look(100_000);
    half.shield.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(half.shield.status.state).toBe('ready');
    expect(await half.comes(STRANGER)).toBe(true);
    expect(half.events).toEqual([]);
  });

  promises('rests where a filter cannot be put on, and the sockets take all', async () => {
    const made = site({ sockets: [{ family: 4, fd: 1_000_000 }] });
    made.look(100_000);
    made.look(100_000);
    await settled(made);
    expect([made.events, made.shield.status.state]).toEqual([['failed: EBADF'], 'ready']);
    made.look(100_000);
    made.look(100_000);
    await settled(made);
    expect(made.events).toHaveLength(1);
    made.look(100_000_000, 60_000);
    await settled(made);
    expect(made.events).toHaveLength(2);
  });
});

it('tells of a table what is going to be added, and that all is going to be replaced', () => {
  const table = new AllowlistTable();
  const told: string[] = [];
  const note = (what: string) => () => told.push(`${what} at ${table.size}`);
  table.observe({ adding: note('adding'), replacing: note('replacing') });
  table.set(parsePrefix('10.0.0.1/32')!, PROFILE);
  table.set(parsePrefix('10.0.0.1/32')!, 2 as ProfileId);
  table.remove(parsePrefix('10.0.0.2/32')!);
  table.remove(parsePrefix('10.0.0.1/32')!);
  table.load([], []);
  table.observe(null);
  table.set(parsePrefix('10.0.0.1/32')!, PROFILE);
  expect(told).toEqual(['adding at 0', 'replacing at 0']);
});
