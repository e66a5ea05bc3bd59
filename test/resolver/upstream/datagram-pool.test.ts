import { randomFillSync } from 'node:crypto';
import dgram from 'node:dgram';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RandomSource } from '../../../src/resolver/random.ts';
import type {
  DatagramPool,
  DatagramPools,
  DatagramReceiver,
  DatagramRemote,
} from '../../../src/resolver/upstream/datagram-pool.ts';
import { OpenFailure } from '../../../src/resolver/upstream/datagram-socket.ts';
import { createNodeDatagramPool } from '../../../src/resolver/upstream/node-datagram-pool.ts';
import { type DatagramPoolLimits, RandomPortPool } from '../../../src/resolver/upstream/random-port-pool.ts';
import { SystemDatagrams } from '../../../src/resolver/upstream/system-datagrams.ts';
import { until } from '../support.ts';

/** Every kind of pool keeps the same promises. */
const KINDS: Readonly<Record<string, (limits: Partial<DatagramPoolLimits>) => DatagramPools>> = {
  'node:dgram': (limits) => ({
    createPool: (remote, random, now) => createNodeDatagramPool({ ...remote, random, now, limits }),
    close: async () => {},
  }),
  'system calls': (limits) =>
    new SystemDatagrams((error) => {
      throw error;
    }, limits),
};

let server: dgram.Socket;
let pools: DatagramPools;
let pool: DatagramPool;
let answering = true;
let received: { id: number; port: number }[] = [];

beforeEach(async () => {
  answering = true;
  received = [];
  server = dgram.createSocket('udp4');
  server.on('message', (message, from) => {
    received.push({ id: message.readUInt16BE(0), port: from.port });
    if (answering) server.send(message, from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.2', resolve));
});

afterEach(async () => {
  await pool.close();
  await pools.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

function createFor(kind: string, remote: DatagramRemote, limits: Partial<DatagramPoolLimits>): DatagramPool {
  pools = KINDS[kind]!({ reservedSockets: 0, ...limits });
  // A clock that stands still earns no permits, so the test does not depend on its speed.
  pool = pools.createPool(remote, new RandomSource(randomFillSync), () => 0);
  return pool;
}

class Recorder implements DatagramReceiver {
  replies = 0;
  strays = 0;
  unreachables = 0;
  datagram(): boolean {
    this.replies++;
    return true;
  }
  stray(): void {
    this.strays++;
  }
  unreachable(): void {
    this.unreachables++;
  }
}

const message = (): Uint8Array => new Uint8Array(12);

describe.each(Object.keys(KINDS))('sockets of %s', (kind) => {
  const create = (limits: Partial<DatagramPoolLimits> = {}): DatagramPool => {
    const { address, port } = server.address();
    return createFor(kind, { address, family: 4, port }, limits);
  };

  describe('a quiet pool', () => {
    test('gives each query its own socket and closes it with the reply', async () => {
      const pool = create();
      const receivers = Array.from({ length: 50 }, () => new Recorder());
      for (const receiver of receivers) pool.send(message(), receiver);
      expect(pool.openSockets).toBe(50);
      await until(() => receivers.every(({ replies }) => replies === 1));
      expect(pool.openSockets).toBe(0);
      expect(new Set(received.map(({ port }) => port)).size).toBe(50);
    });

    test('closes the socket of a canceled query', () => {
      const pool = create();
      pool.send(message(), new Recorder())?.release();
      expect(pool.openSockets).toBe(0);
    });
  });

  describe('a busy pool', () => {
    const BUSY = {
      ownSocketsPerSecond: 0,
      sharedSockets: 4,
      inFlightPerSocket: 8,
      queriesPerSharedSocket: 16,
    };

    test('shares a few sockets, with IDs that are unique on each', async () => {
      answering = false;
      const pool = create(BUSY);
      for (let i = 0; i < 32; i++) expect(pool.send(message(), new Recorder())).not.toBeNull();
      await until(() => received.length === 32);
      expect(pool.openSockets).toBe(4);
      expect(new Set(received.map(({ port }) => port)).size).toBe(4);
      expect(new Set(received.map(({ port, id }) => `${port} ${id}`)).size).toBe(32);
    });

    test('refuses when everything is taken, and goes on after a release', () => {
      answering = false;
      const pool = create(BUSY);
      const leases = Array.from({ length: 32 }, () => pool.send(message(), new Recorder()));
      expect(pool.send(message(), new Recorder())).toBeNull();
      leases[0]?.release();
      expect(pool.send(message(), new Recorder())).not.toBeNull();
    });

    test('replaces a socket that has carried its share by one on another port', async () => {
      const pool = create(BUSY);
      for (let i = 0; i < 200; i++) {
        const receiver = new Recorder();
        pool.send(message(), receiver);
        await until(() => receiver.replies === 1);
      }
      expect(new Set(received.map(({ port }) => port)).size).toBeGreaterThan(10);
      expect(pool.openSockets).toBeLessThanOrEqual(4);
    });

    test('closes shared sockets that are no longer used', async () => {
      const pool = create({ ...BUSY, idleMs: 5 });
      const receiver = new Recorder();
      pool.send(message(), receiver);
      await until(() => receiver.replies === 1);
      await until(() => pool.openSockets === 0);
    });
  });

  describe('false datagrams', () => {
    test('with another ID reach those who wait on that socket as strays', async () => {
      answering = false;
      const pool = create();
      const receiver = new Recorder();
      pool.send(message(), receiver);
      await until(() => received.length === 1);
      const [{ id, port }] = received;
      server.send(Buffer.from([(id >> 8) ^ 1, id & 0xff, ...Array(10).fill(0)]), port, '127.0.0.1');
      await until(() => receiver.strays === 1);
      expect(receiver.replies).toBe(0);
    });

    test('from another address or port reach nobody', async () => {
      answering = false;
      const pool = create();
      const receiver = new Recorder();
      pool.send(message(), receiver);
      await until(() => received.length === 1);
      const [{ id, port }] = received;
      const bytes = Buffer.from([id >> 8, id & 0xff, ...Array(10).fill(0)]);
      for (const address of ['127.0.0.2', '127.0.0.3']) {
        const other = dgram.createSocket('udp4');
        await new Promise<void>((resolve) => other.bind(0, address, resolve));
        await new Promise((resolve) => other.send(bytes, port, '127.0.0.1', resolve));
        other.close();
      }
      server.send(bytes, port, '127.0.0.1');
      await until(() => receiver.replies === 1);
      expect([receiver.replies, receiver.strays]).toEqual([1, 0]);
    });
  });

  test('a closed port is reported to all who wait', async () => {
    const gone = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => gone.bind(0, '127.0.0.2', resolve));
    const { address, port } = gone.address();
    await new Promise<void>((resolve) => gone.close(() => resolve()));
    createFor(kind, { address, family: 4, port }, {});
    const receiver = new Recorder();
    pool.send(message(), receiver);
    await until(() => receiver.unreachables === 1);
    expect(pool.openSockets).toBe(0);
  });

  test('an address without a route is reported, but not from within send', async () => {
    // A link that does not exist.
    createFor(kind, { address: 'fe80::1%none0', family: 6, port: 53 }, {});
    const receiver = new Recorder();
    pool.send(message(), receiver);
    expect(receiver.unreachables).toBe(0);
    await until(() => receiver.unreachables === 1);
    expect(pool.openSockets).toBe(0);
  });

  test('close() closes everything, and nothing is sent afterwards', async () => {
    answering = false;
    const pool = create();
    for (let i = 0; i < 10; i++) pool.send(message(), new Recorder());
    await pool.close();
    expect(pool.openSockets).toBe(0);
    expect(pool.send(message(), new Recorder())).toBeNull();
  });

  test('an IPv6 server is asked and answers', async () => {
    const own = dgram.createSocket('udp6');
    own.on('message', (message, from) => own.send(message, from.port, from.address));
    await new Promise<void>((resolve) => own.bind(0, '::1', resolve));
    createFor(kind, { address: '::1', family: 6, port: own.address().port }, {});
    const receiver = new Recorder();
    pool.send(message(), receiver);
    await until(() => receiver.replies === 1);
    await new Promise<void>((resolve) => own.close(() => resolve()));
  });
});

describe('a process that is short of descriptors', () => {
  const LIMITS: DatagramPoolLimits = {
    ownSocketsPerSecond: 1000,
    sharedSockets: 4,
    queriesPerSharedSocket: 2,
    inFlightPerSocket: 8,
    sockets: 16,
    idleMs: 60_000,
    reservedSockets: 2,
  };
  let left: number;
  const sent: number[] = [];

  const open = (): RandomPortPool => {
    let opened = 0;
    return new RandomPortPool({
      random: new RandomSource(randomFillSync),
      now: () => 0,
      limits: LIMITS,
      open: () => {
        if (left === 0) return OpenFailure.NO_SOCKET;
        left--;
        const number = opened++;
        return { send: () => void sent.push(number), close: async () => {} };
      },
    });
  };

  beforeEach(() => {
    left = 2;
    sent.length = 0;
  });

  test('asks on the sockets that were opened at the start, for as long as it lasts', async () => {
    const pool = open();
    for (let query = 0; query < 20; query++) {
      const lease = pool.send(message(), new Recorder());
      expect(lease).not.toBeNull();
      lease?.release();
    }
    expect(new Set(sent)).toEqual(new Set([0, 1]));
    expect(pool.openSockets).toBe(2);
    await pool.close();
  });

  test('does not take the shortage for an unreachable upstream', async () => {
    left = 0;
    const pool = open();
    const receiver = new Recorder();
    expect(pool.send(message(), receiver)).toBeNull();
    await new Promise(setImmediate);
    expect(receiver.unreachables).toBe(0);
    await pool.close();
  });
});
