import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CertificateFiles } from '../../../src/cli/serve/acme/certificate-file.ts';
import {
  CertificateKeeper,
  type CertificateKeeperOptions,
} from '../../../src/cli/serve/acme/certificate-keeper.ts';
import { AcmeError } from '../../../src/cli/serve/acme/order.ts';
import { makeCertificate } from '../../support/certificate.ts';

const HOUR = 3_600_000;
/** Life of the certificates that openssl makes here. */
const LIFE = 48 * HOUR;
const NAMES = ['dns.example.com'];
const WILDCARDS = ['*.reached.test.dns.example.com'];

let folder: string;
let nowMs: number;
let orders: string[][];
let failures: Parameters<CertificateKeeperOptions['onFailure']>[0][];
let taken: number;
/** Fails orders; null: they succeed. */
let refuse: ((names: readonly string[]) => Error | null) | null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'acme-'));
  nowMs = Date.now();
  orders = [];
  failures = [];
  taken = 0;
  refuse = null;
});
afterEach(() => rmSync(folder, { recursive: true }));

function keep(wildcards: readonly string[] = []): CertificateKeeper {
  return new CertificateKeeper({
    files: new CertificateFiles(folder),
    names: NAMES,
    wildcards,
    async order(names) {
      orders.push([...names]);
      const error = refuse?.(names) ?? null;
      if (error !== null) throw error;
      const { cert, key } = makeCertificate(names.map((name) => `DNS:${name}`));
      return { chain: cert, key };
    },
    onCertificate: () => taken++,
    onFailure: (failure) => failures.push(failure),
    now: () => nowMs,
    random: () => 0.5,
  });
}

it('orders the first certificate at once, and keeps it in a private file', async () => {
  const keeper = keep();
  expect(keeper.certificate).toBeNull();
  await keeper.renewIfDue();
  expect(orders).toEqual([NAMES]);
  expect(taken).toBe(1);
  expect(keeper.certificate!.names).toEqual(NAMES);
  expect(statSync(join(folder, 'acme/certificate.pem')).mode & 0o777).toBe(0o600);
  expect(keep().certificate).toEqual(keeper.certificate);
});

it('renews before two thirds of its life are over, and not earlier than the jitter allows', async () => {
  const keeper = keep();
  await keeper.renewIfDue();
  const age = (part: number) => {
    nowMs = keeper.state.validToMs! - LIFE + LIFE * part;
  };
  age(2 / 3 - 1 / 20);
  await keeper.renewIfDue();
  expect(orders).toHaveLength(1);
  age(2 / 3);
  await keeper.renewIfDue();
  expect(orders).toHaveLength(2);
  expect(taken).toBe(2);
});

it('keeps a working certificate when the CA refuses, and backs off', async () => {
  const keeper = keep();
  await keeper.renewIfDue();
  const before = keeper.certificate;
  nowMs += (LIFE * 2) / 3;
  refuse = () => new AcmeError('the name is not yours', 'unauthorized', null);
  const waits: number[] = [];
  for (let i = 0; i < 12; i++) {
    await keeper.renewIfDue();
    waits.push(keeper.dueAtMs - nowMs);
    nowMs += waits.at(-1)! - 1;
    await keeper.renewIfDue();
    nowMs += 1;
  }
  // Nothing was ordered before its time.
  expect(orders).toHaveLength(13);
  expect(waits[1]! / waits[0]!).toBeCloseTo(2);
  expect(waits.at(-1)).toBe(15 * HOUR);
  expect(failures[0]).toMatchObject({
    reason: 'the name is not yours',
    problem: 'unauthorized',
    names: NAMES,
  });
  expect(keeper.certificate).toBe(before);
  expect(keep().certificate).toEqual(before);
  expect(keeper.state.failures).toBe(12);
  refuse = null;
  await keeper.renewIfDue();
  expect(taken).toBe(2);
});

it('waits an hour when the CA limits the rate, or as long as it says', async () => {
  const keeper = keep(WILDCARDS);
  refuse = () => new AcmeError('too many certificates', 'rateLimited', null);
  await keeper.renewIfDue();
  expect(orders).toHaveLength(1);
  expect(keeper.dueAtMs - nowMs).toBe(HOUR);
  nowMs += HOUR;
  refuse = () => new AcmeError('too many certificates', 'rateLimited', 30 * HOUR);
  await keeper.renewIfDue();
  expect(keeper.dueAtMs - nowMs).toBe(30 * HOUR);
});

it('has a certificate without wildcards where they cannot be proved, and tries again a day later', async () => {
  const keeper = keep(WILDCARDS);
  refuse = (names) => (names.length > 1 ? new AcmeError('no TXT record', 'dns', null) : null);
  await keeper.renewIfDue();
  // The first certificate does not wait for the wildcards, which are due at once.
  expect(orders).toEqual([NAMES]);
  expect(taken).toBe(1);
  await keeper.renewIfDue();
  expect(orders).toEqual([NAMES, [...NAMES, ...WILDCARDS]]);
  expect(taken).toBe(1);
  nowMs += 23 * HOUR;
  await keeper.renewIfDue();
  expect(orders).toHaveLength(2);
  nowMs += HOUR;
  await keeper.renewIfDue();
  // Nobody orders again what is there and not due.
  expect(orders).toHaveLength(3);
  refuse = null;
  nowMs += 24 * HOUR;
  await keeper.renewIfDue();
  expect(orders.at(-1)).toEqual([...NAMES, ...WILDCARDS]);
  expect(taken).toBe(2);
});
