/** A running service gives its memory away to no signal, no debugger and no other process of its user. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  MAIN,
  NODE,
  Program,
  ROOT,
  RunningService,
  temporaryFolder,
  writeConfig,
} from '../support/service.ts';

/** Lifts the limit of core dumps, as a careless unit file does. */
const UNLIMITED = ['sh', '-c', 'ulimit -c unlimited; exec "$@"', 'sh'];
const DEBUGGER_PORT = 9229;
/** Signals that Linux has on x64 and arm64, by their default action (signal(7)). */
const CORE = ['SIGQUIT', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGXCPU', 'SIGSYS'];
const ENDING = ['SIGKILL', 'SIGALRM', 'SIGSTKFLT', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR', 'SIGUSR2'];
const SURVIVED = ['SIGHUP', 'SIGUSR1', 'SIGPIPE', 'SIGXFSZ', 'SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH'];
const STOPPING = ['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'];
const ORDERLY = ['SIGTERM', 'SIGINT'];

/** A core dump would land in the working directory. */
const CORES_LAND_HERE = /^core$/m.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim());

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

it('every signal of this system is in the test', () => {
  const tried = [...CORE, ...ENDING, ...SURVIVED, ...STOPPING, ...ORDERLY].map(
    (name) => constants.signals[name as NodeJS.Signals],
  );
  expect(new Set(tried)).toEqual(new Set(Array.from({ length: 31 }, (_, index) => index + 1)));
});

it.runIf(CORES_LAND_HERE)('a process that is not sealed leaves a core dump', () => {
  const cwd = temporaryFolder();
  spawnSync('sh', ['-c', 'ulimit -c unlimited; sh -c "kill -QUIT \\$\\$"'], { cwd });
  expect(readdirSync(cwd)).toEqual(['core']);
});

describe('a sealed process', () => {
  it.each([...CORE, ...ENDING])('leaves nothing behind on %s', async (signal) => {
    const cwd = temporaryFolder();
    const seal = JSON.stringify(join(ROOT, 'src/sys/index.ts'));
    const handlers = JSON.stringify(join(ROOT, 'src/cli/crash.ts'));
    const code = `
      const { installCrashHandlers } = await import(${handlers});
      const { sealProcess } = await import(${seal});
      installCrashHandlers();
      console.log(sealProcess());
      setInterval(() => {}, 1000);`;
    const program = new Program(NODE, ['--input-type=module', '--eval', code], { cwd, wrapper: UNLIMITED });
    await program.until(() => program.stdout === 'true\n', 'seal');
    program.kill(signal as NodeJS.Signals);
    expect(await program.exited).toEqual({ code: null, signal });
    expect(readdirSync(cwd)).toEqual([]);
    expect(program.stderr).toBe('');
  });
});

describe('a service', () => {
  it('outlives the signals that say nothing to it, opens no port and prints nothing for them', async () => {
    const cwd = temporaryFolder();
    const service = await RunningService.start({ cwd, wrapper: UNLIMITED });
    const lines = service.lines.length;
    let reloads = 0;
    for (const signal of [...SURVIVED, ...STOPPING]) {
      service.kill(signal as NodeJS.Signals);
      service.kill('SIGCONT');
      service.kill('SIGHUP');
      reloads += signal === 'SIGHUP' ? 2 : 1;
      await service.logged('configuration and catalog read again', signal === 'SIGHUP' ? 1 : reloads - 1);
    }
    expect(await accepts(DEBUGGER_PORT)).toBe(false);
    expect(new Set(service.lines.slice(lines).map(({ msg }) => msg))).toEqual(
      new Set(['configuration and catalog read again']),
    );
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(readdirSync(cwd)).toEqual([]);
    expect(service.stderr).toBe('');
  });

  it.each(['SIGSEGV'] as const)('leaves no core dump on %s', async (signal) => {
    const cwd = temporaryFolder();
    const service = await RunningService.start({ cwd, wrapper: UNLIMITED });
    expect(await service.stop(signal)).toEqual({ code: null, signal });
    expect(readdirSync(cwd)).toEqual([]);
    expect(readdirSync(service.folder).toSorted()).toEqual(['config.yaml', 'services', 'var']);
  });

  it('keeps its shared memory and all other memory out of dumps', async () => {
    const service = await RunningService.start({ config: { cache: { bytes: '8MiB' } } });
    const proc = `/proc/${service.child.pid}`;
    expect(readFileSync(`${proc}/coredump_filter`, 'utf8').trim()).toBe('00000000');
    expect(readFileSync(`${proc}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    // VmFlags dd: excluded from dumps. The cache, a ring and a batch at least.
    const excluded = readFileSync(`${proc}/smaps`, 'utf8').match(/^VmFlags:.* dd\b/gm) ?? [];
    expect(excluded.length).toBeGreaterThanOrEqual(3);
    await service.stop();
  });

  it.runIf(process.getuid?.() === 0)('is closed to other processes of its user', async () => {
    const folder = temporaryFolder();
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    spawnSync('chown', ['-R', '65534:65534', folder]);
    const file = writeConfig(folder);
    spawnSync('chown', ['-R', '65534:65534', folder]);
    const service = new Program(NODE, [MAIN, 'serve', '--config', file], { cwd: folder, wrapper: nobody });
    await service.logged('ready');
    const [command, ...args] = [...nobody, 'cat', `/proc/${service.child.pid}/environ`];
    const read = spawnSync(command, args, { encoding: 'utf8' });
    expect(read).toMatchObject({ status: 1, stdout: '' });
    const own = spawnSync(command, [...nobody.slice(1), 'cat', '/proc/self/environ'], { encoding: 'utf8' });
    expect(own.status).toBe(0);
    service.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });

  it.each(['SIGPROF', 'SIGUSR2'] as const)(
    'writes no diagnostic report on %s, whatever Node is told',
    async (signal) => {
      const cwd = temporaryFolder();
      const options = `--report-on-fatalerror --report-uncaught-exception --report-on-signal --report-signal=${signal}`;
      const service = await RunningService.start({ cwd, env: { NODE_OPTIONS: options } });
      expect(await service.stop(signal)).toEqual({ code: null, signal });
      expect(readdirSync(cwd)).toEqual([]);
      expect(service.stderr).toBe('');
    },
  );
});

describe('files that others may write', () => {
  const refused = async (folder: string) => {
    const program = new Program(NODE, [MAIN, 'serve', '--config', join(folder, 'config.yaml')]);
    return { ...(await program.exited), stderr: program.stderr };
  };

  it('are refused: dataDir, the admin key, the store', async () => {
    const service = await RunningService.start();
    await service.stop();
    const { folder, dataDir } = service;
    for (const path of [dataDir, join(dataDir, 'admin.key'), join(dataDir, 'registry.db')]) {
      const mode = spawnSync('stat', ['-c', '%a', path], { encoding: 'utf8' }).stdout.trim();
      spawnSync('chmod', ['o+w', path]);
      const { code, stderr } = await refused(folder);
      expect({ code, stderr }, path).toMatchObject({ code: 1, stderr: expect.stringContaining(path) });
      expect(stderr).toContain('lets others write it');
      spawnSync('chmod', [mode, path]);
    }
    const again = await RunningService.start({ folder });
    await again.stop();
  });
});
