/** Drill: Redis is killed and stopped again and again under 8 writing clients. No acknowledged change is lost or undone. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Site } from './site.ts';
import { soon } from './support.ts';

const CLIENTS = 8;
/** 3 in npm test, 50 in npm run test:drills. */
const ROUNDS = Number(process.env['MEDIASTREAMER_DRILL_ROUNDS'] ?? 3);
const ROUND_MS = 40_000;

let site: Site;
beforeAll(async () => {
  site = await Site.start('127.46');
}, 120_000);
afterAll(() => {
  isStopped = true;
});

let isStopped = false;
/** Expected state of each address by the last acknowledged call; null while a call is pending. */
const expected = new Map<string, boolean | null>();
const ids = new Map<string, string>();

/** Registers and removes addresses of its own, and repeats each call until it is acknowledged. */
async function client(number: number): Promise<void> {
  for (let index = 0; !isStopped; index++) {
    const address = `127.46.${100 + number}.${1 + (index % 100)}`;
    expected.set(address, null);
    if (!ids.has(address)) await register(address);
    else await remove(address);
  }
}

async function register(address: string): Promise<void> {
  for (;;) {
    const reply = await site.tryRegister(address, randomUUID());
    if (reply.status === 200 || reply.status === 201) {
      ids.set(address, reply.body.id);
      expected.set(address, true);
      return;
    }
    if (reply.status !== 503) throw new Error(`registration: ${reply.status} ${reply.text}`);
    await delay(50);
  }
}

async function remove(address: string): Promise<void> {
  const path = `/v1/accounts/${site.account.id}/registrations/${ids.get(address)}`;
  for (;;) {
    const { status, text } = await site.control.admin.call('DELETE', path);
    // 404: an attempt that was not answered had removed it.
    if (status === 204 || status === 404) break;
    if (status !== 503) throw new Error(`removal: ${status} ${text}`);
    await delay(50);
  }
  ids.delete(address);
  expected.set(address, false);
}

/** Lists acknowledged changes that the API does not show. */
async function differences(settled: ReadonlyMap<string, boolean | null>): Promise<string[] | null> {
  const path = `/v1/accounts/${site.account.id}/registrations`;
  const { status, body } = await site.control.admin.call('GET', path);
  if (status !== 200) return null;
  const held = new Set((body.registrations as { address: string }[]).map(({ address }) => address));
  return [...settled]
    .filter(([address, is]) => is !== null && expected.get(address) === is && held.has(address) !== is)
    .map(([address, is]) => `${address} ${is ? 'lost' : 'undone'}`);
}

it(`${ROUNDS} rounds of SIGKILL and SIGTERM in turn lose and undo nothing`, {
  timeout: ROUND_MS * (ROUNDS + 1),
}, async () => {
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  // An error of a client ends the drill at the next check.
  let failure: unknown;
  clients.catch((error: unknown) => {
    failure = error;
  });
  for (let round = 0; round < ROUNDS; round++) {
    await delay(500 + 100 * (round % 5));
    const settled = new Map(expected);
    await site.redis.signal(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
    await site.redis.launch();
    await soon(async () => (await differences(new Map())) !== null, ROUND_MS);
    expect(await differences(settled), `round ${round + 1}`).toEqual([]);
    expect(failure).toBeUndefined();
  }
  isStopped = true;
  await clients;
  expect(await differences(expected), 'in the end').toEqual([]);
  expect([...expected.values()].filter((is) => is !== null).length).toBeGreaterThan(CLIENTS);
  await site.followed();
  const verified = await site.run('verify');
  expect(verified.stdout).toContain('all agree');
});
