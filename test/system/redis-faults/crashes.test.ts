/** Crashes and stops lose nothing: every 2xx is in Redis, and soon on every edge. */
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { Gate } from './gate.ts';
import { Site, Watch } from './site.ts';
import { ask, metric, readiness, SERVED, soon, startControl } from './support.ts';

const CLIENTS = 8;
/** The API promises 503 within 2 s; the rest is slack for a machine that runs all tests at once. */
const ANSWER_MS = 2_000 + 2_000;
/** The promise is a second. */
const RETURN_MS = 1_000 + 3_000;

let site: Site;
beforeAll(async () => {
  site = await Site.start('127.42');
}, 120_000);

/** Registers new addresses one by one until stopped, and repeats each call until it is answered 2xx. */
class Clients {
  refusals = 0;
  slowestMs = 0;
  readonly faults: string[] = [];
  private isStopped = false;
  private readonly running: Promise<unknown>;

  constructor() {
    this.running = Promise.all(Array.from({ length: CLIENTS }, () => this.run()));
  }

  /** Stops after the present address of each client. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.isStopped) {
      const address = site.next();
      while (!(await this.isRegistered(address))) await delay(50);
    }
  }

  private async isRegistered(address: string): Promise<boolean> {
    const startedAt = performance.now();
    const { status, headers, text } = await site.tryRegister(address);
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt);
    if (status === 200 || status === 201) return true;
    this.refusals += 1;
    if (status !== 503 || headers['retry-after'] === undefined) this.faults.push(`${status} ${text}`);
    return false;
  }
}

/** Interrupts Redis while clients register and devices ask, and checks that nothing was lost. */
async function losesNothing(fault: () => Promise<void>): Promise<Clients> {
  const before = await site.register(3);
  const watch = new Watch(site.edges, before, [site.never()]);
  const clients = new Clients();
  await delay(300);
  await fault();
  const returnedAt = performance.now();
  const acknowledged = [...site.acknowledged];
  await site.followed();
  expect(performance.now() - returnedAt).toBeLessThan(RETURN_MS);
  await delay(300);
  await clients.stop();
  await site.followed();
  const { wrong, silent } = await watch.stop();
  expect({ wrong, silent, faults: clients.faults }).toEqual({ wrong: [], silent: [], faults: [] });
  expect(clients.slowestMs).toBeLessThan(ANSWER_MS);
  expect([...site.acknowledged]).toEqual(expect.arrayContaining(acknowledged));
  expect(await site.unserved()).toEqual([]);
  return clients;
}

describe('nothing is lost', { timeout: 90_000 }, () => {
  it('when redis-server is killed with -9 while 8 clients register', async () => {
    const clients = await losesNothing(async () => {
      await site.redis.kill();
      await delay(1_000);
      await site.redis.launch();
    });
    expect(clients.refusals).toBeGreaterThan(0);
  });

  it('when redis-server is stopped for 10 s', async () => {
    const clients = await losesNothing(async () => {
      await site.redis.signal('SIGSTOP');
      await site.bothAre('disconnected');
      await delay(10_000 - 2_500);
      await site.redis.signal('SIGCONT');
    });
    expect(clients.refusals).toBeGreaterThan(0);
  });

  it('when the control is killed between the write and its reply, and the call is repeated', async () => {
    const gate = await Gate.to(site.redis.port);
    const other = await startControl(gate.url, { config: { registration: { allowPrivate: true } } });
    const address = site.next();
    const path = `/v1/accounts/${site.account.id}/registrations`;
    const headers = { 'idempotency-key': address };
    await site.followed();
    const before = await site.seq();
    gate.shut();
    const lost = other.admin.call('POST', path, { address }, headers).then(
      ({ status }) => status,
      () => 'no reply',
    );
    await soon(async () => (await site.seq()) > before);
    other.kill('SIGKILL');
    expect(await lost).toBe('no reply');
    await other.exited;
    gate.close();

    for (const edge of site.edges) await soon(async () => (await ask(edge, address)) === SERVED);
    const seq = await site.seq();
    const repeated = await site.tryRegister(address);
    expect([repeated.status, repeated.body.address]).toEqual([201, address]);
    expect(await site.seq()).toBe(seq);
    const { body } = await site.control.admin.call('GET', path);
    const found = (body.registrations as { address: string }[]).filter((one) => one.address === address);
    expect(found).toHaveLength(1);
  });

  it('when the log is trimmed past an edge that was stopped', async () => {
    const [slow] = site.edges;
    const reloads = await metric(slow, 'allowlist_reloads');
    const gone = site.next();
    const account = await site.control.admin.make('/v1/accounts');
    await site.control.admin.make(`/v1/accounts/${account.id}/registrations`, { address: gone });
    await site.followed();
    expect(await ask(slow, gone)).toBe(SERVED);

    slow.kill('SIGSTOP');
    const added = [site.next(), site.next(), site.next()];
    for (const address of added) expect((await site.tryRegister(address)).status).toBe(201);
    const erased = await site.control.admin.call('DELETE', `/v1/accounts/${account.id}`);
    expect(erased.status).toBe(204);
    await trimLog();
    slow.kill('SIGCONT');

    await soon(async () => (await metric(slow, 'allowlist_reloads')) > reloads || readiness(slow));
    await site.followed();
    expect(await ask(slow, gone)).toBe('REFUSED');
    expect(await site.unserved()).toEqual([]);
    expect((await readiness(slow)).state).toBe('following');
  });

  it('and edges, Redis and its parts agree in the end', async () => {
    const urls = site.edges.flatMap((edge) => ['--edge', edge.metricsUrl, '--list', edge.dataDir]);
    // Every edge writes its allowlist to disk some seconds after the last change.
    await soon(async () => {
      const { code, stdout } = await site.run('verify', ...urls);
      return code === 0 || stdout;
    });
    for (const edge of site.edges) expect(await metric(edge, 'allowlist_digest_mismatches')).toBe(0);
  });
});

/** Trims the log once the snapshot covers it, which the leader does within a minute. */
async function trimLog(): Promise<void> {
  const client = site.redis.client();
  const seq = await site.seq();
  await soon(async () => Number(await client.hget('{mediastreamer}:1:meta', 'snapshotSeq')) >= seq, 40_000);
  await client
    .multi()
    .hset('{mediastreamer}:1:meta', 'trimmed', seq)
    .xtrim('{mediastreamer}:1:log', 'MINID', '=', `${seq + 1}-0`)
    .exec();
  client.disconnect();
}
