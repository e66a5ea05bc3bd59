import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { recorder } from './io.ts';

const CONFIG = 'regions: { us: { relays: [{ address: 203.0.113.1 }] } }\n';
const SERVICE = 'service: films\ntitle: Films\nregions: [us, gb]\nnames: [films.example]\n';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-command-'));
  mkdirSync(join(directory, 'services'));
  writeFileSync(join(directory, 'a.yaml'), CONFIG);
  writeFileSync(join(directory, 'services/films.yaml'), SERVICE);
});
afterAll(() => rmSync(directory, { recursive: true }));

async function mediastreamer(...args: string[]) {
  const { io, out, err } = recorder({}, directory);
  return { code: await run([...args, '--config', 'a.yaml'], io), out, err };
}

describe('relay', () => {
  it.each([
    [[], 'expected status, drain or undrain'],
    [['stop'], 'expected status, drain or undrain'],
    [['drain', '--relay', 'films'], 'expected --relay with an address'],
    [['drain', '--relay', '192.0.2.1', '--region', 'us'], 'expected --relay or --region, not both'],
    [['drain', '--timeout', 'soon'], 'expected --timeout with a number of seconds'],
    [['drain', '--timeout', '5', '--no-wait'], 'expected --timeout or --no-wait, not both'],
  ])('%j is bad usage', async (args, fault) => {
    const { code, err } = await mediastreamer('relay', ...args);
    expect([code, err]).toEqual([2, [expect.stringContaining(fault)]]);
  });

  it.each(['status', 'drain', 'undrain'])('%s fails if no process is running', async (action) => {
    const { code, out, err } = await mediastreamer('relay', action);
    const place = join(directory, 'var');
    expect([code, out]).toEqual([1, []]);
    expect(err).toEqual([
      `no edge or relay with dataDir ${place} is running, or this user may not talk to it`,
    ]);
  });
});

describe('check-service', () => {
  it.each([
    [[], 'expected one service or host name'],
    [['films', 'more'], 'expected one service or host name'],
    [['shows'], 'expected a service or a name of the catalog, found "shows"'],
    [['www.other.example'], 'expected a service or a name of the catalog, found "www.other.example"'],
    [['films', '--region', 'gb'], 'expected a region that has relays, one of us'],
    [['films', '--region', 'us', '--relay', '192.0.2.1'], 'expected --region or --relay, not both'],
    [['films', '--relay', 'films'], 'expected --relay with an address'],
    [['films', '--port', '0'], 'expected --port with a number from 1 to 65535'],
    [['films', '--timeout', '1000'], 'expected --timeout with a number from 1 to 600'],
  ])('%j is bad usage', async (args, fault) => {
    const { code, err } = await mediastreamer('check-service', ...args);
    expect([code, err]).toEqual([2, [expect.stringContaining(fault)]]);
  });
});
