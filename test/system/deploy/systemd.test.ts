/** The shipped unit, as systemd-analyze judges it offline. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { unitFor } from '../../../src/cli/init/plan.ts';
import { ROOT, temporaryFolder } from '../../support/service.ts';

const UNIT = join(ROOT, 'config/deploy/systemd/mediastreamer.service');
const MOST_EXPOSURE = 2;

function analyze(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

it('is a valid unit, whose command exists in the package', () => {
  const file = join(temporaryFolder(), 'mediastreamer.service');
  copyFileSync(UNIT, file);
  const text = readFileSync(file, 'utf8');
  expect(text).toContain('ExecStart=/usr/bin/mediastreamer serve ');
  expect(text).toContain('ExecReload=/usr/bin/mediastreamer serve --replace --background ');
  writeFileSync(file, text.replaceAll('/usr/bin/mediastreamer', join(ROOT, 'src/mediastreamer.sh')));
  expect(analyze('verify', file)).toEqual({ status: 0, output: '' });
});

it('is a valid unit for a checkout, as init writes it', () => {
  const file = join(temporaryFolder(), 'mediastreamer.service');
  const launcher = join(ROOT, 'src/mediastreamer.sh');
  writeFileSync(file, unitFor(launcher));
  expect(readFileSync(file, 'utf8')).toContain(`ExecStart=/bin/sh ${launcher} serve `);
  expect(readFileSync(file, 'utf8')).toMatch(/^DynamicUser=yes$/m);
  expect(analyze('verify', file)).toEqual({ status: 0, output: '' });
});

const SOCKETS = [
  ['dns-udp', 'Datagram'],
  ['dns-tcp', 'Stream'],
  ['dns-tls', 'Stream'],
  ['dns-https', 'Stream'],
  ['relay-tls', 'Stream'],
  ['relay-http', 'Stream'],
  ['relay-quic', 'Datagram'],
  ['control', 'Stream'],
] as const;

it.each(SOCKETS)('has a valid socket unit for %s', (name, type) => {
  const folder = temporaryFolder();
  const unit = `mediastreamer-${name}.socket`;
  for (const file of [unit, 'mediastreamer.service']) {
    const text = readFileSync(join(ROOT, 'config/deploy/systemd', file), 'utf8');
    writeFileSync(
      join(folder, file),
      text.replaceAll('/usr/bin/mediastreamer', join(ROOT, 'src/mediastreamer.sh')),
    );
  }
  expect(analyze('verify', join(folder, unit))).toEqual({ status: 0, output: '' });
  const text = readFileSync(join(folder, unit), 'utf8');
  expect(text).toContain(`FileDescriptorName=${name}\n`);
  expect(text).toMatch(/^Service=mediastreamer\.service$/m);
  expect(text).toMatch(/^ReusePort=yes$/m);
  expect(text).toMatch(/^BindIPv6Only=ipv6-only$/m);
  expect(text).toMatch(new RegExp(`^Listen${type}=`, 'm'));
  if (type === 'Datagram') expect(text).toMatch(/^ReceiveBuffer=8M$/m);
});

it('is confined: exposure at most 2.0', () => {
  const { output } = analyze('security', '--offline=true', UNIT);
  const [, exposure] = /Overall exposure level for mediastreamer\.service: ([\d.]+)/.exec(output) ?? [];
  expect(Number(exposure)).toBeGreaterThan(0);
  expect(Number(exposure)).toBeLessThanOrEqual(MOST_EXPOSURE);
});

it('allows the system calls that the program makes', () => {
  const privileged = callsOf('@privileged');
  const allowed = new Set([...callsOf('@system-service')].filter((name) => !privileged.has(name)));
  for (const call of [...callsOf('@pkey'), 'bpf']) allowed.add(call);
  const needed = ['recvmmsg', 'sendmmsg', 'splice', 'epoll_pwait', 'epoll_ctl', 'accept4', 'sched_setattr'];
  for (const call of [...needed, 'bpf', 'prctl', 'futex', 'fsync', 'socket', 'memfd_create']) {
    expect([call, allowed.has(call)]).toEqual([call, true]);
  }
  const filters = readFileSync(UNIT, 'utf8').match(/^SystemCallFilter=.*$/gm);
  expect(filters).toEqual([
    'SystemCallFilter=@system-service',
    'SystemCallFilter=~@privileged',
    'SystemCallFilter=bpf @pkey',
  ]);
});

it('keeps addresses out of core dumps and swap', () => {
  const text = readFileSync(UNIT, 'utf8');
  expect(text).toMatch(/^LimitCORE=0$/m);
  expect(text).toMatch(/^MemorySwapMax=0$/m);
});

/** System calls of a group of systemd's, with those of the groups in it. */
function callsOf(group: string): Set<string> {
  const { output } = analyze('syscall-filter', group);
  const lines = output
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return new Set(lines.flatMap((line) => (line.startsWith('@') ? [...callsOf(line)] : [line])));
}
