import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exportLines } from '../../src/cli/catalog/resolver-lines.ts';
import { UsageError } from '../../src/cli/command.ts';
import { ROOT } from '../support/service.ts';
import { recorder } from './io.ts';

const CONFIG = ['--config', join(ROOT, 'config/default.yaml')];

async function exported(...args: string[]): Promise<string[]> {
  const { io, out } = recorder();
  expect(await exportLines([...args, ...CONFIG], io)).toBe(0);
  return out;
}

test('unbound: an insecure point for every name of the shipped catalog, exact ones included', async () => {
  const lines = await exported('--format', 'unbound');
  expect(lines[1]).toBe('server:');
  expect(lines).toContain('  # Netflix');
  expect(lines).toContain('  domain-insecure: "netflix.com"');
  expect(lines.filter((line) => !/^ {2}(# .+|domain-insecure: "[a-z0-9._-]+")$/.test(line))).toHaveLength(2);
});

test('dnsmasq: one line a name and server, of the services that are asked for', async () => {
  const servers = ['--server', '192.0.2.53', '--server', '2001:db8::53#5300'];
  const lines = await exported('--format', 'dnsmasq', '--service', 'netflix', ...servers);
  expect(lines).toContain('server=/netflix.com/192.0.2.53');
  expect(lines).toContain('server=/netflix.com/2001:db8::53#5300');
  expect(lines.filter((line) => line.startsWith('# '))).toHaveLength(2);
});

test.each([
  ['no format', []],
  ['an unknown format', ['--format', 'bind']],
  ['no server for dnsmasq', ['--format', 'dnsmasq']],
  ['a name as server', ['--format', 'dnsmasq', '--server', 'dns.example']],
  ['a port that is none', ['--format', 'dnsmasq', '--server', '192.0.2.53#0']],
  ['a line in the server', ['--format', 'dnsmasq', '--server', '192.0.2.53\nlog-queries']],
  ['an unknown service', ['--format', 'unbound', '--service', 'nobody']],
])('%s is bad usage', async (_, args) => {
  const { io, out } = recorder();
  await expect(exportLines([...args, ...CONFIG], io)).rejects.toThrow(UsageError);
  expect(out).toEqual([]);
});
