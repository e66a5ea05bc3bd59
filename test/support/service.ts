/**
 * The real program as a process of its own, on free ports of loopback and a folder of its own:
 *
 *     const service = await RunningService.start({ config: { upstreams: [upstream.url] } });
 *     const account = await service.admin.make('/v1/accounts');
 *     await ask(service.udp, { name: 'films.test-films.com', from: '127.0.0.9' });
 *     await service.stop();
 *
 * Services left running are killed, and their folders removed, at the end of the test file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, vi } from 'vitest';
import { Api } from './api.ts';

export const ROOT = join(import.meta.dirname, '../..');
/** The Node that runs the tests; they start the program with it too. */
export const NODE = process.execPath;
export const MAIN = join(ROOT, 'src/main.ts');

/** Names and relays in the tests' configuration. */
export const FILMS = 'test-films.com';
export const SERIES = 'test-series.com';
export const RELAY = {
  us: { address: '192.0.2.10', address6: '2001:db8::10' },
  gb: { address: '192.0.2.20', address6: '2001:db8::20' },
} as const;

const CATALOG = [
  { service: 'films', title: 'Films', regions: ['us', 'gb'], names: [FILMS] },
  { service: 'series', title: 'Series', regions: ['us', 'gb'], names: [SERIES] },
];

/** Long enough for the slowest machine. */
const PATIENCE_MS = 60_000;

/** Part of a configuration, as in the file. */
export type ConfigFields = Readonly<Record<string, unknown>>;

/** One line of the log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: string };

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Address and port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: 2 * PATIENCE_MS });

const folders: string[] = [];
const children = new Set<ChildProcess>();

function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
}
process.on('exit', killAll);
afterAll(() => {
  killAll();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder, which is removed when the file's tests have ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'system-'));
  folders.push(folder);
  return folder;
}

/** Environment that sets a process's clock `days` ahead. */
export function clockAhead(days: number): Record<string, string> {
  const code = `const { now } = Date; Date.now = () => now() + ${days * 86_400_000};`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
}

/** Writes a catalog file into a folder made by `writeConfig`. */
export function writeServiceFile(folder: string, fields: { service: string } & ConfigFields): void {
  // JSON is YAML.
  writeFileSync(join(folder, 'services', `${fields.service}.yaml`), JSON.stringify(fields));
}

/** Writes a configuration of free loopback ports, with its catalog. @returns the file's path */
export function writeConfig(folder: string, fields: ConfigFields = {}): string {
  mkdirSync(join(folder, 'services'), { recursive: true });
  for (const service of CATALOG) writeServiceFile(folder, service);
  const { dns, control, ...rest } = fields as Record<string, ConfigFields>;
  const config = {
    roles: ['control', 'edge'],
    dataDir: join(folder, 'var'),
    dns: { udp: ['127.0.0.1:0', '[::1]:0'], tcp: ['127.0.0.1:0', '[::1]:0'], workers: 1, ...dns },
    upstreams: ['udp://127.0.0.1:9'],
    cache: { bytes: '1MiB' },
    catalog: { services: ['services/*.yaml'] },
    regions: { us: { relays: [RELAY.us] }, gb: { relays: [RELAY.gb] } },
    defaultRegion: 'us',
    registration: { allowPrivate: true, perAccount: 100 },
    control: { listen: ['127.0.0.1:0', '[::1]:0'], publicUrl: 'http://127.0.0.1:8080', ...control },
    metrics: { listen: ['127.0.0.1:0'] },
    ...rest,
  };
  const file = join(folder, 'config.yaml');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Command with arguments that runs the program. */
  readonly wrapper?: readonly string[];
  /** Descriptors that the program gets from 3 on. */
  readonly fds?: readonly number[];
}

/** A child process and its output. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  private hasEnded = false;
  private readonly watchers = new Set<() => void>();

  constructor(
    file: string,
    args: readonly string[],
    { cwd, env, wrapper = [], fds = [] }: ProgramOptions = {},
  ) {
    const [first, ...rest] = [...wrapper, file, ...args];
    this.child = spawn(first, rest, {
      cwd: cwd ?? tmpdir(),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', ...fds],
    });
    children.add(this.child);
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]!.setEncoding('utf8').on('data', (text) => {
        this[name] += text;
        this.notify();
      });
    }
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      children.delete(this.child);
      this.hasEnded = true;
      this.notify();
      return { code, signal };
    });
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  /** Log lines: complete JSON lines of standard output. */
  get lines(): LogLine[] {
    const whole = this.stdout.split('\n').slice(0, -1);
    return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  /** Waits until `find` returns a value. Rejects when the process ends first. */
  async until<T>(find: () => T | undefined | false, what: string): Promise<T> {
    for (const patience = AbortSignal.timeout(PATIENCE_MS); ; ) {
      const found = find();
      if (found !== undefined && found !== false) return found;
      if (this.hasEnded || patience.aborted) throw new Error(`no ${what} in:\n${this.output}`);
      await new Promise<void>((resolve) => {
        this.watchers.add(resolve);
        patience.addEventListener('abort', () => resolve());
      });
    }
  }

  /** Waits for the log line with this message, the `nth` one. */
  logged(msg: string, nth = 1): Promise<LogLine> {
    return this.until(() => this.lines.filter((line) => line.msg === msg)[nth - 1], `line "${msg}"`);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  private notify(): void {
    for (const resolve of this.watchers) resolve();
    this.watchers.clear();
  }
}

/** Runs `mediastreamer` with arguments to its end. */
export async function runProgram(
  args: readonly string[],
  options?: ProgramOptions,
): Promise<Exit & { stdout: string; stderr: string }> {
  const program = new Program(NODE, [MAIN, ...args], options);
  const exit = await program.exited;
  return { ...exit, stdout: program.stdout, stderr: program.stderr };
}

export interface StartOptions extends ProgramOptions {
  readonly config?: ConfigFields;
  /** The folder of an earlier service, to start again there; its configuration stays unless `config` is given. */
  readonly folder?: string;
  /** Further arguments of the command. */
  readonly args?: readonly string[];
}

/** Fields of the ready line. */
interface Ready {
  readonly udp: readonly string[];
  readonly tcp: readonly string[];
  readonly tls: readonly string[];
  readonly https: readonly string[];
  readonly control: readonly string[];
  readonly metrics: readonly string[];
  readonly engine: string;
}

/** `mediastreamer serve`, ready. */
export class RunningService extends Program {
  readonly folder: string;
  readonly dataDir: string;
  private listeners!: Ready;

  private constructor(folder: string, file: string, options: StartOptions) {
    super(NODE, [MAIN, 'serve', '--config', file, ...(options.args ?? [])], options);
    this.folder = folder;
    this.dataDir = JSON.parse(readFileSync(file, 'utf8')).dataDir;
  }

  /** Starts it and waits until all listeners are open. */
  static async start(options: StartOptions = {}): Promise<RunningService> {
    const folder = options.folder ?? temporaryFolder();
    const keeps = options.folder !== undefined && options.config === undefined;
    const file = keeps ? join(folder, 'config.yaml') : writeConfig(folder, options.config);
    const service = new RunningService(folder, file, options);
    service.listeners = (await service.logged('ready')) as unknown as Ready;
    return service;
  }

  get engine(): string {
    return this.listeners.engine;
  }

  get udp(): Endpoint {
    return endpointOf(this.listeners.udp[0]);
  }

  get udp6(): Endpoint {
    return endpointOf(this.listeners.udp[1]);
  }

  get tcp(): Endpoint {
    return endpointOf(this.listeners.tcp[0]);
  }

  get tcp6(): Endpoint {
    return endpointOf(this.listeners.tcp[1]);
  }

  get tls(): Endpoint {
    return endpointOf(this.listeners.tls[0]);
  }

  get https(): Endpoint {
    return endpointOf(this.listeners.https[0]);
  }

  get controlUrl(): string {
    return this.listeners.control[0];
  }

  get controlUrl6(): string {
    return this.listeners.control[1];
  }

  get metricsUrl(): string {
    return this.listeners.metrics[0];
  }

  get adminKey(): string {
    return readFileSync(join(this.dataDir, 'admin.key'), 'utf8').trim();
  }

  /** The API with the admin key. */
  get admin(): Api {
    return new Api(this.controlUrl, { key: this.adminKey });
  }

  /** The API with an account's secret, called from `from`. */
  as(secret: string, from = '127.0.0.1'): Api {
    return new Api(from.includes(':') ? this.controlUrl6 : this.controlUrl, { key: secret, from });
  }

  /** Makes an account and registers addresses for it, each as its own caller. */
  async household(addresses: readonly string[] = [], account: object = {}): Promise<Household> {
    const { id, secret } = await this.admin.make('/v1/accounts', account);
    const registrations: Record<string, string> = {};
    for (const address of addresses) {
      registrations[address] = (await this.as(secret, address).make('/v1/registrations')).id;
    }
    return { id, secret, registrations };
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.metricsUrl}/metrics`)).text();
  }

  /** Sends a signal and waits for the exit. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.kill(signal);
    return this.exited;
  }
}

export interface Household {
  readonly id: string;
  readonly secret: string;
  /** The ids of its registrations, by address. */
  readonly registrations: Readonly<Record<string, string>>;
}

function endpointOf(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

/** Polls until `done` holds. */
export async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const startedAt = Date.now(); !(await done()); ) {
    if (Date.now() - startedAt > PATIENCE_MS) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
