import { expect, it } from 'vitest';
import { Answerer, TCP_TRAITS } from '../../../src/dns/index.ts';
import { Outbox } from '../../../src/dns/stream/outbox.ts';
import { StreamConnection } from '../../../src/dns/tcp/connection.ts';
import { sourceFromText } from '../../../src/net/index.ts';
import { textFromName } from '../../../src/wire/index.ts';
import { FakeChannel } from '../https/support.ts';
import { a, answering, HOME, query, seen, TestEdge } from '../support.ts';
import { framed } from './client.ts';

it('a connection copies queries that wait: the read buffer is reused', async () => {
  const edge = new TestEdge();
  edge.register(HOME);
  const released = Promise.withResolvers<void>();
  const resolve = async (request: { name: Uint8Array; nameLength: number }) => {
    await released.promise;
    const name = textFromName(request.name.slice(0, request.nameLength));
    return { entry: edge.entry(name, [a(name, 300, '192.0.2.77')]), cached: false };
  };
  const faults: unknown[] = [];
  const now = () => edge.nowMs;
  const answerer = new Answerer(edge.state, answering(resolve), now, (fault) => faults.push(fault));
  const channel = new FakeChannel();
  const connection = new StreamConnection(() => channel, {
    answerer,
    source: sourceFromText(HOME)!,
    traits: TCP_TRAITS,
    maxQueries: 1000,
    outbox: new Outbox(),
    now,
    onLimit: () => {},
  });
  // More than MAX_IN_FLIGHT, so some are held. The last one is incomplete.
  const stream = framed(...Array.from({ length: 150 }, (_, id) => query(`n${id}.example`, 'A', { id })));
  const memory = Buffer.alloc(stream.length);
  for (const [from, to] of [
    [0, stream.length - 3],
    [stream.length - 3, stream.length],
  ] as const) {
    stream.copy(memory, 0, from, to);
    connection.read(memory, to - from);
    memory.fill(0xee);
  }
  released.resolve();
  await answerer.idle();
  const written = channel.taken();
  const names: string[] = [];
  for (let at = 0; at < written.length; at += 2 + written.readUInt16BE(at)) {
    const { reply } = seen(0, written.subarray(at + 2, at + 2 + written.readUInt16BE(at)));
    names[reply.id!] = reply.questions![0]!.name;
  }
  expect([names, faults]).toEqual([Array.from({ length: 150 }, (_, id) => `n${id}.example`), []]);
});
