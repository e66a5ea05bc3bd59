import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import type { Resolved, ResolveRequest, ResolveWaiter } from '../../src/resolver/index.ts';
import { RemoteResolver, serveResolver } from '../../src/resolver/remote/index.ts';
import { copyBytes, Rcode, textFromName } from '../../src/wire/index.ts';
import { until } from '../support/until.ts';
import { request } from './support.ts';

const nameOf = ({ name, nameLength }: ResolveRequest): string => textFromName(name.slice(0, nameLength));

/** A resolver behind a port: records questions and waiters. */
class Far {
  readonly asked: ResolveRequest[] = [];
  readonly waiters: ResolveWaiter[] = [];
  readonly refreshed: string[] = [];
  ask(asked: ResolveRequest, waiter: ResolveWaiter): void {
    this.asked.push(asked);
    this.waiters.push(waiter);
  }
  refresh(asked: ResolveRequest): void {
    this.refreshed.push(nameOf(asked));
  }
}

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

function connect() {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const far = new Far();
  const errors: unknown[] = [];
  serveResolver(port1, far, (error) => errors.push(error));
  return { near: new RemoteResolver(port2), far, errors };
}

function waiting(): { waiter: ResolveWaiter; results: Resolved[] } {
  const results: Resolved[] = [];
  const failed = (error: unknown): void => {
    throw error;
  };
  return { results, waiter: { resolved: (result) => void results.push(result), failed } };
}

test('answers reach their askers in any order, in memory of their own', async () => {
  const { near, far } = connect();
  const [one, two] = [waiting(), waiting()];
  near.ask(request('one.example'), one.waiter);
  near.ask(request('two.example', { dnssecOk: true }), two.waiter);
  await until(() => far.asked.length === 2, 'both were asked');
  expect(far.asked.map((asked) => [nameOf(asked), asked.dnssecOk])).toEqual([
    ['one.example', false],
    ['two.example', true],
  ]);
  const entry = copyBytes(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0, 8);
  far.waiters[1]!.resolved({ entry, cached: false });
  far.waiters[0]!.resolved({ entry: null, rcode: Rcode.SERVFAIL, extendedError: 22 });
  await until(() => one.results.length + two.results.length === 2, 'both were answered');
  expect(one.results).toEqual([{ entry: null, rcode: Rcode.SERVFAIL, extendedError: 22 }]);
  const got = (two.results[0] as { entry: Uint8Array }).entry;
  expect([[...got], got.buffer.byteLength]).toEqual([[1, 2, 3, 4, 5, 6, 7, 8], 8]);
});

test('a refresh reaches the resolver, and nobody waits for it', async () => {
  const { near, far } = connect();
  near.refresh(request('again.example'));
  await until(() => far.refreshed.length === 1, 'it was asked for again');
  expect([far.refreshed, far.asked]).toEqual([['again.example'], []]);
});

test('an error over there is reported there, and is SERVFAIL here', async () => {
  const { near, far, errors } = connect();
  const one = waiting();
  near.ask(request('one.example'), one.waiter);
  await until(() => far.waiters.length === 1, 'it was asked');
  far.waiters[0]!.failed(new Error('an error'));
  await until(() => one.results.length === 1, 'it was answered');
  expect(one.results[0]).toMatchObject({ entry: null, rcode: Rcode.SERVFAIL });
  expect(errors).toEqual([new Error('an error')]);
});
