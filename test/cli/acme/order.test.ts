/** Orders against a CA that answers with RFC 8555's problem documents. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CertificateFiles } from '../../../src/cli/serve/acme/certificate-file.ts';
import { Challenges } from '../../../src/cli/serve/acme/challenges.ts';
import { orderCertificate } from '../../../src/cli/serve/acme/order.ts';

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

const problem = (status: number, type: string, detail: string, headers = {}): Reply => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: { type: `urn:ietf:params:acme:error:${type}`, detail, status },
});

let folder: string;
let server: Server;
let url: string;
let replies: Record<string, Reply>;
let challenges: Challenges;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'acme-'));
  server = createServer((request, response) => {
    request.resume();
    const { status = 200, headers = {}, body } = replies[request.url ?? ''] ?? { body: {} };
    response.writeHead(status, { 'replay-nonce': 'bm9uY2U', 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const challenge = { type: 'http-01', url: `${url}/challenge`, token: 'token', status: 'pending' };
  replies = {
    '/directory': {
      body: { newNonce: `${url}/nonce`, newAccount: `${url}/account`, newOrder: `${url}/order` },
    },
    '/account': { status: 201, headers: { location: `${url}/account/1` }, body: { status: 'valid' } },
    '/order': {
      status: 201,
      headers: { location: `${url}/order/1` },
      body: { status: 'pending', authorizations: [`${url}/authz`], finalize: `${url}/finalize` },
    },
    '/authz': {
      body: {
        status: 'pending',
        identifier: { type: 'dns', value: 'dns.example.com' },
        challenges: [challenge],
      },
    },
    '/challenge': { body: challenge },
  };
  challenges = new Challenges({ dnsHook: null, publish: async () => {} });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

function order(): Promise<unknown> {
  const files = new CertificateFiles(folder);
  const options = { directory: `${url}/directory`, email: null, files, challenges };
  return orderCertificate(['dns.example.com'], options);
}

it('says what the CA says about a limit on the rate, and for how long', async () => {
  const detail = 'too many certificates already issued for "example.com"';
  replies['/order'] = problem(429, 'rateLimited', detail, { 'retry-after': '7200' });
  await expect(order()).rejects.toMatchObject({
    code: 'acme_failed',
    message: detail,
    problem: 'rateLimited',
    retryAfterMs: 7_200_000,
  });
  expect(statSync(join(folder, 'acme/account.key')).mode & 0o777).toBe(0o600);
});

it('says why the CA refuses a name or an account', async () => {
  replies['/order'] = problem(403, 'rejectedIdentifier', 'dns.example.com is on a list');
  await expect(order()).rejects.toMatchObject({ problem: 'rejectedIdentifier', retryAfterMs: null });
  replies['/account'] = problem(403, 'unauthorized', 'account deactivated');
  await expect(order()).rejects.toMatchObject({ message: 'account deactivated', problem: 'unauthorized' });
});

it('says why a challenge failed, and forgets its answer', async () => {
  const detail = '203.0.113.7: Connection refused';
  const error = { type: 'urn:ietf:params:acme:error:connection', detail };
  replies['/challenge'] = {
    body: { type: 'http-01', token: 'token', url: `${url}/challenge`, status: 'invalid', error },
  };
  await expect(order()).rejects.toMatchObject({ message: detail });
  expect(challenges.answer('token')).toBeNull();
});

it('fails where nobody answers, without waiting', async () => {
  replies['/directory'] = problem(503, 'serverInternal', 'down for maintenance');
  await expect(order()).rejects.toMatchObject({ code: 'acme_failed' });
});
