import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { MediaStreamerClient, MediaStreamerError } from '../../src/client/index.ts';
import { ADMIN_KEY, ControlBench } from '../support/control.ts';

let stop: (() => Promise<void>) | null = null;
afterEach(async () => {
  await stop?.();
  stop = null;
});

/** Starts the API over a registry in memory. */
async function api(): Promise<{ bench: ControlBench; client: MediaStreamerClient }> {
  const bench = await ControlBench.make();
  const [{ port }] = await bench.control.listen([{ host: '127.0.0.1', port: 0 }]);
  stop = () => bench.control.close(0);
  return {
    bench,
    client: new MediaStreamerClient({ url: `http://127.0.0.1:${port}/`, adminKey: ADMIN_KEY }),
  };
}

/** Starts a server with scripted answers that records its requests. */
async function server(...answers: ((reply: ServerResponse, request: IncomingMessage) => void)[]) {
  const asked: IncomingMessage[] = [];
  const http = createServer((request, reply) => {
    asked.push(request);
    (answers[asked.length - 1] ?? answers.at(-1)!)(reply, request);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close());
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return { asked, client: new MediaStreamerClient({ url, adminKey: 'k', timeoutMs: 5000 }) };
}

const unavailable = (reply: ServerResponse): void => {
  reply.writeHead(503, { 'content-type': 'application/problem+json' }).end('{"code":"store_unavailable"}');
};
const made = (reply: ServerResponse): void => {
  reply.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"a"}');
};

describe('the client', () => {
  it("makes the operator's calls", async () => {
    const { client } = await api();
    const { id, secret, region } = await client.createAccount({ region: 'gb', perAccount: 2 });
    expect([region, secret.startsWith('ms_')]).toEqual(['gb', true]);
    expect(await client.getAccount(id)).toMatchObject({ id, suspended: false, perAccount: 2 });
    expect((await client.suspendAccount(id))?.suspended).toBe(true);
    expect((await client.resumeAccount(id))?.suspended).toBe(false);
    expect((await client.updateAccount(id, { region: 'us' }))?.region).toBe('us');
    const { id: rid } = await client.register(id, { address: '198.51.99.7', label: 'Den' });
    expect((await client.listRegistrations(id))?.map(({ address }) => address)).toEqual(['198.51.99.7']);
    expect([await client.removeRegistration(id, rid), await client.removeRegistration(id, rid)]).toEqual([
      true,
      false,
    ]);
    expect((await client.createSignInLink(id)).url).toMatch(/^https:\/\/dns\.example\.net\/sign-in#/);
    expect(await client.rotateSecret(id)).not.toBe(secret);
    expect([await client.eraseAccount(id), await client.eraseAccount(id)]).toEqual([true, false]);
    expect([await client.getAccount(id), await client.listRegistrations(id)]).toEqual([null, null]);
  });

  it('iterates over all accounts', async () => {
    const { client } = await api();
    for (let index = 0; index < 3; index += 1) await client.createAccount();
    const ids = [];
    for await (const { id } of client.listAccounts()) ids.push(id);
    expect(new Set(ids).size).toBe(3);
  });

  it('throws errors with the code of the API', async () => {
    const { client } = await api();
    const refusal = await client.createAccount({ region: 'mars' }).catch((error) => error);
    expect(refusal).toBeInstanceOf(MediaStreamerError);
    expect(refusal).toMatchObject({
      code: 'bad_input',
      status: 400,
      errors: [{ field: 'region', expected: 'one of us, gb' }],
    });
    const wrong = new MediaStreamerClient({ url: 'http://127.0.0.1:1', adminKey: 'x', retries: 0 });
    await expect(wrong.getAccount('a')).rejects.toMatchObject({ code: 'unreachable', status: 0 });
    expect(() => new MediaStreamerClient({ url: 'http://a', adminKey: '' })).toThrow(TypeError);
  });

  it('repeats unanswered calls with the same idempotency key', async () => {
    const { client, asked } = await server((reply) => reply.destroy(), unavailable, made);
    expect(await client.createAccount()).toEqual({ id: 'a' });
    const keys = asked.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('waits and repeats after too_many_changes, and not after other refusals by 429', async () => {
    const refuse = (code: string) => (reply: ServerResponse) =>
      reply.writeHead(429, { 'retry-after': '0' }).end(JSON.stringify({ code }));
    const busy = await server(refuse('too_many_changes'), made);
    expect(await busy.client.createAccount()).toEqual({ id: 'a' });
    const guessing = await server(refuse('too_many_attempts'), made);
    await expect(guessing.client.createAccount()).rejects.toMatchObject({ code: 'too_many_attempts' });
    expect(guessing.asked).toHaveLength(1);
  });

  it('gives up after its retries, and does not repeat refused calls', async () => {
    const away = await server(unavailable);
    const impatient = new MediaStreamerClient({ url: `http://127.0.0.1:1`, adminKey: 'k', retries: 1 });
    await expect(impatient.createAccount()).rejects.toMatchObject({ code: 'unreachable' });
    await expect(away.client.getAccount('a')).rejects.toMatchObject({
      code: 'store_unavailable',
      status: 503,
    });
    expect(away.asked).toHaveLength(4);
    const refusing = await server((reply) => reply.writeHead(500).end('oops'));
    await expect(refusing.client.getAccount('a')).rejects.toMatchObject({ code: 'http_500', status: 500 });
    expect(refusing.asked).toHaveLength(1);
  });

  it('does not send its key to a redirect target', async () => {
    const { client } = await server((reply) =>
      reply.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    );
    await expect(client.getAccount('a')).rejects.toMatchObject({ code: 'unreachable' });
  });
});
