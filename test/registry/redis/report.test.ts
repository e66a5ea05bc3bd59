import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  formatReport,
  type HostReport,
  MAX_REPORT_BYTES,
  parseReport,
  ReportChannel,
} from '../../../src/registry/store/redis/report/index.ts';
import { RedisServer } from '../../support/redis-server.ts';

const EDGE: HostReport = { roles: ['edge'], addresses: ['5.6.7.8', '2600::1'] };

describe('a report', () => {
  it('survives its text form', () => {
    expect(parseReport(formatReport(EDGE))).toEqual(EDGE);
  });

  it('may have fields of later releases', () => {
    expect(parseReport(JSON.stringify({ version: 1, ...EDGE, load: 0.5 }))).toEqual(EDGE);
  });

  it('stays below 4 KiB', () => {
    const addresses = Array.from(
      { length: 500 },
      (_, i) => `2600:1234:5678:9abc:def0:1234:5678:${i.toString(16)}`,
    );
    expect(Buffer.byteLength(formatReport({ roles: ['edge'], addresses }))).toBeLessThan(MAX_REPORT_BYTES);
  });

  it.each<[string, string]>([
    ['text', 'no JSON'],
    ['null', 'null'],
    ['another version', JSON.stringify({ version: 2, ...EDGE })],
    ['an unknown role', JSON.stringify({ version: 1, roles: ['king'], addresses: [] })],
    ['a name', JSON.stringify({ version: 1, roles: [], addresses: ['a.example'] })],
    ['too many addresses', JSON.stringify({ version: 1, roles: [], addresses: Array(65).fill('5.6.7.8') })],
    ['more than 4 KiB', JSON.stringify({ version: 1, ...EDGE, x: 'x'.repeat(MAX_REPORT_BYTES) })],
  ])('of %s is ignored', (_, text) => {
    expect(parseReport(text)).toBeNull();
  });
});

describe('the report channel', () => {
  const ROOT = '{mediastreamer}:1:';
  let server: RedisServer;
  const open = (user: string) => new ReportChannel(`redis://${user}:pw@127.0.0.1:${server.port}/0`);
  beforeAll(async () => {
    server = await RedisServer.start();
    const admin = new Redis(server.url);
    const host = ['+set', '+ping', '+select', '+client|setname'];
    await admin.call('ACL', 'SETUSER', 'control', 'on', '>pw', `~${ROOT}*`, '+@all');
    for (const name of ['one', 'two']) {
      await admin.call('ACL', 'SETUSER', name, 'on', '>pw', `%W~${ROOT}report:${name}`, ...host);
    }
    admin.disconnect();
  });
  afterAll(() => server.stop());

  it('carries each host to the control, which skips malformed reports', async () => {
    const [control, one, two] = [open('control'), open('one'), open('two')];
    await expect.poll(() => one.write(EDGE).then(() => 'done', String)).toBe('done');
    const other = { roles: ['relay'], addresses: ['5.6.7.9'] };
    await expect.poll(() => two.write(other).then(() => 'done', String)).toBe('done');
    await expect.poll(() => control.readAll().then((all) => all.length, String)).toBe(2);
    expect(await control.readAll()).toEqual(expect.arrayContaining([EDGE, other]));
    for (const channel of [control, one, two]) channel.close();
  });

  it("lets a host write its own report only, and read nobody's", async () => {
    const one = open('one');
    await expect.poll(() => one.write(EDGE).then(() => 'done', String)).toBe('done');
    await expect(one.readAll()).rejects.toMatchObject({ code: 'NOPERM' });
    Object.assign(one, { key: `${ROOT}report:two` });
    await expect(one.write(EDGE)).rejects.toMatchObject({ code: 'NOPERM' });
    Object.assign(one, { key: `${ROOT}entries` });
    await expect(one.write(EDGE)).rejects.toMatchObject({ code: 'NOPERM' });
    one.close();
  });
});
