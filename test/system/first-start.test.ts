/** Output of the first start; the commands that it names are run. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  MAIN,
  NODE,
  Program,
  RunningService,
  runProgram,
  temporaryFolder,
  writeConfig,
} from '../support/service.ts';

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

function shell(command: string): { status: number | null; stdout: string } {
  const { status, stdout } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
  return { status, stdout };
}

/** Runs the two commands of a first start: one creates an account, the other queries DNS, which still refuses. */
function tryCommands([account, dig]: readonly string[]): void {
  const made = shell(account);
  expect(made.status).toBe(0);
  expect(JSON.parse(made.stdout)).toMatchObject({ id: expect.any(String), secret: expect.any(String) });
  const asked = shell(dig);
  expect(asked.status).toBe(0);
  expect(asked.stdout).toContain('status: REFUSED');
}

describe('the first start', () => {
  it('logs a JSON line with all listeners and two working commands', async () => {
    const service = await RunningService.start();
    const line = await service.logged('first start');
    const keyFile = join(service.dataDir, 'admin.key');
    expect(line).toMatchObject({ level: 'info', adminKeyFile: keyFile });
    expect(line['api']).toEqual([service.controlUrl, service.controlUrl6]);
    expect(line['dns']).toEqual([service.udp, service.udp6].map(({ host, port }) => written(host, port)));
    expect(line['next']).toHaveLength(2);
    tryCommands(line['next'] as string[]);
    expect(service.output).not.toContain(service.adminKey);
    await service.stop();
  });

  it('prints commands that work in a folder with spaces in its name', async () => {
    const folder = join(temporaryFolder(), "Anna's TV $HOME `x`");
    writeConfig(folder);
    const service = await RunningService.start({ folder });
    tryCommands((await service.logged('first start'))['next'] as string[]);
    await service.stop();
  });

  it('creates key and data directory for their owner only, with any umask', async () => {
    const service = await RunningService.start({ wrapper: ['sh', '-c', 'umask 0; exec "$@"', 'sh'] });
    expect(modeOf(join(service.dataDir, 'admin.key'))).toBe('600');
    expect(modeOf(service.dataDir)).toBe('700');
    expect(Buffer.from(service.adminKey, 'base64url').length).toBeGreaterThanOrEqual(16);
    await service.stop();
  });

  it('greets once and keeps its key', async () => {
    const first = await RunningService.start();
    const key = first.adminKey;
    await first.stop();
    const second = await RunningService.start({ folder: first.folder });
    expect(second.lines.map(({ msg }) => msg)).toEqual(['ready']);
    expect(second.adminKey).toBe(key);
    await second.stop();
  });

  it('creates no key file if the configuration has a key', async () => {
    const key = 'a-key-that-an-operator-chose';
    const service = await RunningService.start({ config: { control: { adminKey: key } } });
    expect(() => readFileSync(join(service.dataDir, 'admin.key'))).toThrow('ENOENT');
    expect(service.output).not.toContain(key);
    await service.stop();
  });
});

function written(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

describe('on a terminal', () => {
  /** Runs the program under script(1), which gives it a pseudo-terminal, until it is ready; then stops it. */
  async function onTerminal(folder: string): Promise<{ text: string; code: number | null }> {
    const [run, pid] = [join(folder, 'run.sh'), join(folder, 'pid')];
    const command = `exec ${NODE} ${MAIN} serve --config ${join(folder, 'config.yaml')}`;
    writeFileSync(run, `#!/bin/sh\necho $$ >${pid}\n${command}\n`, { mode: 0o755 });
    const terminal = new Program('script', ['--quiet', '--return', '--command', run, '/dev/null']);
    await terminal.until(() => / ready [^\n]*\n/.test(terminal.stdout), 'ready line');
    process.kill(Number(readFileSync(pid, 'utf8')), 'SIGTERM');
    const { code } = await terminal.exited;
    return { text: terminal.stdout.replaceAll('\r\n', '\n'), code };
  }

  it('prints text whose commands work when pasted', async () => {
    const folder = temporaryFolder();
    writeConfig(folder);
    const { text, code } = await onTerminal(folder);
    expect(code).toBe(0);
    expect(text).toContain('This is its first start here.');
    expect(text).toMatch(/^ {2}API +http:\/\/127\.0\.0\.1:\d+ {2}http:\/\/\[::1\]:\d+$/m);
    expect(text).toMatch(/^ {2}DNS +127\.0\.0\.1:\d+ {2}\[::1\]:\d+$/m);
    expect(text).toMatch(/^ {2}admin key +\S+\/admin\.key$/m);
    expect(text.match(/^ {2}(curl|dig) .*$/gm)).toHaveLength(2);
    expect(text).toMatch(/^\d\d:\d\d:\d\d info +ready /m);
    expect(text).not.toContain('{"');
  });

  it('prints errors as one line', async () => {
    const folder = temporaryFolder();
    writeConfig(folder, { dataDir: '/etc/hostname/var' });
    const { code, stderr } = await runProgram(['serve', '--config', join(folder, 'config.yaml')]);
    expect([code, stderr.split('\n').length]).toEqual([1, 2]);
  });
});
