/** Orders against a CA that answers with RFC 8555's problem documents. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CertificateFiles } from '../../../src/cli/serve/acme/certificate-file.ts';
import { Challenges } from '../../../src/cli/serve/acme/challenges.ts';
import { orderCertificate } from '../../../src/cli/serve/acme/order.ts';
import { makeCertificate } from '../../support/certificate.ts';

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object | string;
}

const problem = (
  status: number,
  type: string,
  detail: string,
  headers = {},
): Reply & { readonly body: object } => ({
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
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
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
  await expect(order()).rejects.toMatchObject({ message: detail, problem: 'connection', isFromCa: true });
  expect(challenges.answer('token')).toBeNull();
});

it('goes on where the CA has closed a connection that was kept open, once', async () => {
  const detail = 'account deactivated';
  replies['/order'] = problem(403, 'unauthorized', detail);
  let resets = 1;
  server.prependListener('request', ({ url: path }, response) => {
    if (path === '/order' && resets-- > 0) response.socket?.resetAndDestroy();
  });
  await expect(order()).rejects.toMatchObject({ message: detail });
  resets = 2;
  await expect(order()).rejects.toMatchObject({
    isFromCa: false,
    message: expect.stringMatching(/does not answer \(ECONNRESET\)$/),
  });
});

it('names a problem without a text by its type, and adds what is said about each name', async () => {
  const invalid = { type: 'http-01', token: 'token', url: `${url}/challenge`, status: 'invalid' };
  replies['/challenge'] = { body: { ...invalid, error: { type: 'urn:ietf:params:acme:error:dns' } } };
  await expect(order()).rejects.toMatchObject({ problem: 'dns', isFromCa: true });
  const identifier = { type: 'dns', value: 'dns.example.com' };
  const subproblems = [{ type: 'urn:ietf:params:acme:error:caa', detail: 'CAA forbids', identifier }];
  const refused = problem(403, 'compound', 'errors in the order');
  replies['/order'] = { ...refused, body: { ...refused.body, subproblems } };
  await expect(order()).rejects.toMatchObject({
    message: 'errors in the order; dns.example.com: CAA forbids',
    problem: 'compound',
  });
});

it('never gives an answer that it does not understand as the words of the CA', async () => {
  for (const body of [{ status: 'pending', identifier: { type: 'dns', value: 'dns.example.com' } }, {}]) {
    replies['/authz'] = { body };
    await expect(order()).rejects.toMatchObject({
      code: 'acme_failed',
      problem: null,
      isFromCa: false,
      message: expect.stringMatching(/^127\.0\.0\.1:\d+ sent something that is not understood \(/),
    });
  }
  server.closeAllConnections();
  server.close();
  await expect(order()).rejects.toMatchObject({
    isFromCa: false,
    message: expect.stringMatching(/^127\.0\.0\.1:\d+ does not answer \(ECONNREFUSED\)$/),
  });
});

it('says how acme.dnsHook failed', async () => {
  const hook = join(folder, 'hook');
  writeFileSync(hook, '#!/bin/sh\necho "zone is locked" >&2\nexit 3\n', { mode: 0o700 });
  challenges = new Challenges({ dnsHook: hook, publish: async () => {} });
  const challenge = { type: 'dns-01', url: `${url}/challenge`, token: 'token', status: 'pending' };
  const identifier = { type: 'dns', value: 'dns.example.com' };
  replies['/authz'] = { body: { status: 'pending', identifier, challenges: [challenge] } };
  await expect(order()).rejects.toMatchObject({
    message: 'acme.dnsHook set ended with 3: zone is locked',
    isFromCa: false,
  });
});

it('waits for a CA that takes its time to validate and to issue', async () => {
  const { cert } = makeCertificate(['DNS:dns.example.com']);
  const asked: string[] = [];
  const once = (path: string, first: Reply, then: Reply) => {
    Object.defineProperty(replies, path, {
      get() {
        asked.push(path);
        return asked.filter((one) => one === path).length === 1 ? first : then;
      },
    });
  };
  const challenge = { type: 'http-01', url: `${url}/challenge`, token: 'token' };
  replies['/challenge'] = { body: { ...challenge, status: 'valid' } };
  const finalize = { authorizations: [`${url}/authz`], finalize: `${url}/finalize` };
  replies['/finalize'] = { headers: { 'retry-after': '1' }, body: { ...finalize, status: 'processing' } };
  once(
    '/order/1',
    { headers: { 'retry-after': '1' }, body: { ...finalize, status: 'processing' } },
    { body: { ...finalize, status: 'valid', certificate: `${url}/certificate` } },
  );
  replies['/certificate'] = { headers: { 'content-type': 'application/pem-certificate-chain' }, body: cert };
  expect(await order()).toMatchObject({ chain: cert, key: expect.stringContaining('PRIVATE KEY') });
  expect(asked).toEqual(['/order/1', '/order/1']);
});

it('says why the CA gives up an order that it has taken', async () => {
  const detail = 'CAA record for dns.example.com prevents issuance';
  const error = { type: 'urn:ietf:params:acme:error:caa', detail };
  const challenge = { type: 'http-01', url: `${url}/challenge`, token: 'token' };
  replies['/challenge'] = { body: { ...challenge, status: 'valid' } };
  replies['/finalize'] = { body: { status: 'processing', finalize: `${url}/finalize` } };
  replies['/order/1'] = { body: { status: 'invalid', error } };
  await expect(order()).rejects.toMatchObject({ message: detail, problem: 'caa' });
});

it('fails where nobody answers, without waiting', async () => {
  replies['/directory'] = problem(503, 'serverInternal', 'down for maintenance');
  await expect(order()).rejects.toMatchObject({ code: 'acme_failed' });
});
