/**
 * Drill: three nodes with Sentinel on the shipped files lose their primary again and again under writing clients. No change
 * that was answered 2xx is lost or undone.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningService } from '../../support/service.ts';
import { ask, reaches, SERVED, soon, startControl, startEdge } from './support.ts';
import { Trio, type TrioNode } from './trio.ts';

const CLIENTS = 4;
const FAULTS = ['partitioned', 'killed', 'frozen'] as const;
/** Of each fault: 1 in npm test, 20 in npm run test:drills. A round takes about 20 s. */
const ROUNDS_EACH = Math.min(Number(process.env['MEDIASTREAMER_DRILL_ROUNDS'] ?? 1), 20);
const ROUNDS = ROUNDS_EACH * FAULTS.length;
const ROUND_MS = 120_000;

let trio: Trio;
let control: RunningService;
let edge: RunningService;
let account: { id: string };
let isStopped = false;

beforeAll(async () => {
  trio = await Trio.start();
  control = await startControl(trio.urlOf('control'), {
    config: { redis: { waitReplicas: 1 }, registration: { allowPrivate: true, perAccount: 1_000 } },
  });
  edge = await startEdge(trio.urlOf('edge'));
  account = await control.admin.make('/v1/accounts');
}, 120_000);
afterAll(async () => {
  isStopped = true;
  await trio?.stop();
});

/** State of each address by the last call that was answered 2xx; null while a call is pending. */
const expected = new Map<string, boolean | null>();
const ids = new Map<string, string>();

/** Repeats a call until it is not answered 503. */
async function confirmed(method: 'POST' | 'DELETE', path: string, address?: string) {
  const headers = { 'idempotency-key': randomUUID() };
  for (;;) {
    const body = address === undefined ? undefined : { address };
    const reply = await control.admin.call(method, path, body, address === undefined ? {} : headers);
    if (reply.status !== 503) return reply;
    await delay(50);
  }
}

async function client(number: number): Promise<void> {
  const path = `/v1/accounts/${account.id}/registrations`;
  for (let index = 0; !isStopped; index++) {
    const address = `127.47.${100 + number}.${1 + (index % 50)}`;
    expected.set(address, null);
    const id = ids.get(address);
    if (id === undefined) {
      const { status, body, text } = await confirmed('POST', path, address);
      if (status !== 201 && status !== 200) throw new Error(`registration: ${status} ${text}`);
      ids.set(address, body.id);
    } else {
      const { status, text } = await confirmed('DELETE', `${path}/${id}`);
      // 404: an attempt that was answered 503 had removed it.
      if (status !== 204 && status !== 404) throw new Error(`removal: ${status} ${text}`);
      ids.delete(address);
    }
    expected.set(address, id === undefined);
  }
}

/** Lists confirmed changes that the API does not show; null while it does not answer. */
async function differences(settled: ReadonlyMap<string, boolean | null>): Promise<string[] | null> {
  const { status, body } = await control.admin.call('GET', `/v1/accounts/${account.id}/registrations`);
  if (status !== 200) return null;
  const held = new Set((body.registrations as { address: string }[]).map(({ address }) => address));
  return [...settled]
    .filter(([address, is]) => is !== null && expected.get(address) === is && held.has(address) !== is)
    .map(([address, is]) => `${address} ${is ? 'lost' : 'undone'}`);
}

/** Waits for an answer: while the primary moves, the API may answer once and then not for a while. */
async function differencesSoon(settled: ReadonlyMap<string, boolean | null>): Promise<string[] | null> {
  let found: string[] | null = null;
  await soon(async () => {
    found = await differences(settled);
    return found !== null;
  }, ROUND_MS);
  return found;
}

async function strike(fault: (typeof FAULTS)[number], node: TrioNode): Promise<void> {
  if (fault === 'killed') await node.kill();
  else if (fault === 'frozen') node.signal('SIGSTOP');
  else node.path.isolate();
}

async function heal(fault: (typeof FAULTS)[number], node: TrioNode): Promise<void> {
  if (fault === 'killed') await node.start();
  else if (fault === 'frozen') node.signal('SIGCONT');
  else node.path.mend();
}

it('frozen replicas confirm nothing: changes get 503 until one is back, and the rest works', async () => {
  const primary = await trio.primary();
  const replicas = trio.nodes.filter((node) => node !== primary);
  for (const replica of replicas) replica.signal('SIGSTOP');
  const path = `/v1/accounts/${account.id}/registrations`;
  const key = { 'idempotency-key': randomUUID() };
  const refused = await control.admin.call('POST', path, { address: '127.47.1.1' }, key);
  expect([refused.status, refused.body.code]).toEqual([503, 'store_unavailable']);
  expect((await control.admin.call('GET', path)).status).toBe(200);
  for (const replica of replicas) replica.signal('SIGCONT');
  await soon(
    async () => (await control.admin.call('POST', path, { address: '127.47.1.1' }, key)).status === 201,
  );
  await reaches(edge, 'following');
  await soon(async () => (await ask(edge, '127.47.1.1')) === SERVED);
});

it(`${ROUNDS_EACH} rounds each of a primary that is partitioned, killed and frozen lose nothing confirmed`, {
  timeout: ROUND_MS * (ROUNDS + 1),
}, async () => {
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  let failure: unknown;
  clients.catch((error: unknown) => {
    failure = error;
  });
  for (let round = 0; round < ROUNDS; round++) {
    const fault = FAULTS[round % FAULTS.length];
    if (round > 0) await trio.settled();
    await delay(500);
    const settled = new Map(expected);
    const primary = await trio.primary();
    await strike(fault, primary);
    await trio.failedOver(primary);
    expect(await differencesSoon(settled), `round ${round + 1}: ${fault}`).toEqual([]);
    await reaches(edge, 'following', ROUND_MS);
    await heal(fault, primary);
    expect(failure).toBeUndefined();
  }
  isStopped = true;
  await clients;
  expect(await differencesSoon(expected), 'in the end').toEqual([]);
  const states = [...expected].filter(([, is]) => is !== null);
  expect(states.length).toBeGreaterThan(CLIENTS);
  // The edge followed each primary without `registry adopt`, and serves what was confirmed.
  await reaches(edge, 'following', ROUND_MS);
  for (const [address, is] of states.slice(0, 20)) {
    await soon(async () => (await ask(edge, address)) === (is ? SERVED : 'REFUSED'), ROUND_MS);
  }
});
