import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

const STARTS_WITHIN_MS = 10_000;
const POLL_MS = 20;

export interface RedisServerOptions {
  /** Arguments of redis-server besides port, directory and what a store needs, e.g. ['--requirepass', 'x']. */
  args?: readonly string[];
  /** Its directory; by default one is created, and removed by `stop`. */
  directory?: string;
  port?: number;
  /** Options of the client that checks readiness: password, TLS. */
  probe?: { username?: string; password?: string; tls?: { ca: string } };
  sentinel?: boolean;
  /** Runs config/deploy's own redis.conf, users.acl and start-redis.sh, with a further user for the test's client. */
  shipped?: boolean;
}

const DEPLOY = join(import.meta.dirname, '../../config/deploy');
const USERS = ['control', 'edge', 'replica', 'backup', 'sentinel'] as const;
export type ShippedUser = (typeof USERS)[number];
const TESTER = { username: 'tester', password: 'password-of-tester' };

export function shippedPassword(user: string): string {
  return `password-of-${user}`;
}

/** Writes config/deploy's files to a directory, with its port, path and passwords. Returns the path of redis.conf. */
export function writeShippedFiles(directory: string, port: number): string {
  let acl = readFileSync(join(DEPLOY, 'users.acl'), 'utf8');
  for (const user of USERS) {
    const hash = createHash('sha256').update(shippedPassword(user)).digest('hex');
    acl = acl.replace(`${user.toUpperCase()}_PASSWORD_SHA256`, hash);
  }
  acl += `user ${TESTER.username} reset on >${TESTER.password} ~* &* +@all\n`;
  writeFileSync(join(directory, 'users.acl'), acl);
  const conf = readFileSync(join(DEPLOY, 'redis.conf'), 'utf8')
    .replace(/^port .*$/m, `port ${port}`)
    .replace(/^dir .*$/m, `dir ${directory}`)
    .replace(/^aclfile .*$/m, `aclfile ${join(directory, 'users.acl')}`);
  writeFileSync(join(directory, 'redis.conf'), conf);
  return join(directory, 'redis.conf');
}

/** A test's own redis-server on 127.0.0.1, with appendfsync always. */
export class RedisServer {
  readonly port: number;
  readonly directory: string;
  private readonly options: RedisServerOptions;
  private child: ChildProcess | null = null;

  private constructor(port: number, directory: string, options: RedisServerOptions) {
    this.port = port;
    this.directory = directory;
    this.options = options;
  }

  /** Resolves once it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const port = options.port ?? (await freePort());
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'redis-'));
    const server = new RedisServer(port, directory, options);
    await server.launch();
    return server;
  }

  /** The URL for a control. */
  get url(): string {
    return this.urlOf('control');
  }

  /** The URL for an edge or relay. */
  get edgeUrl(): string {
    return this.urlOf('edge');
  }

  urlOf(user: ShippedUser): string {
    const login = this.options.shipped ? `${user}:${shippedPassword(user)}@` : '';
    return `redis://${login}127.0.0.1:${this.port}/0`;
  }

  get pid(): number {
    return this.child!.pid!;
  }

  /** Starts it (again) on the same port and directory. */
  async launch(): Promise<void> {
    const [program, ...args] = this.commandLine();
    this.child = spawn(program, args, { stdio: 'ignore', cwd: this.directory });
    const exited = once(this.child, 'exit');
    const deadline = Date.now() + STARTS_WITHIN_MS;
    while (!(await this.answers())) {
      if (this.child.exitCode !== null) throw new Error(`redis-server ended (${this.child.exitCode})`);
      if (Date.now() > deadline) throw new Error('redis-server does not answer');
      await Promise.race([new Promise((resolve) => setTimeout(resolve, POLL_MS)), exited]);
    }
  }

  /** Sends a signal: SIGKILL, SIGSTOP, SIGCONT, SIGTERM. Resolves when it has ended, if it is one that ends it. */
  async signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): Promise<void> {
    const child = this.child!;
    const ends = name === 'SIGKILL' || name === 'SIGTERM';
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = ends ? once(child, 'exit') : null;
    child.kill(name);
    await exited;
  }

  kill(): Promise<void> {
    return this.signal('SIGKILL');
  }

  /** Kills it and restarts it from its disk. */
  async restart(): Promise<void> {
    await this.kill();
    await this.launch();
  }

  /** Stops it and removes its files. */
  async stop(): Promise<void> {
    if (this.child !== null) {
      this.child.kill('SIGCONT');
      await this.kill();
    }
    if (this.options.directory === undefined) rmSync(this.directory, { recursive: true, force: true });
  }

  /** A new client; the caller disconnects it. */
  client(): Redis {
    const redis = new Redis({ host: '127.0.0.1', port: this.port, protocol: 2, ...this.login });
    redis.on('error', () => {});
    return redis;
  }

  private get login(): RedisServerOptions['probe'] {
    return this.options.probe ?? (this.options.shipped ? TESTER : {});
  }

  private commandLine(): [string, ...string[]] {
    const { args = [], sentinel, shipped } = this.options;
    if (sentinel) return ['redis-server', join(this.directory, 'sentinel.conf'), '--sentinel', ...args];
    if (shipped) {
      return ['sh', join(DEPLOY, 'start-redis.sh'), writeShippedFiles(this.directory, this.port), ...args];
    }
    const own = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.directory, '--save', ''];
    const store = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'];
    return ['redis-server', ...own, ...store, '--slowlog-log-slower-than', '-1', ...args];
  }

  private async answers(): Promise<boolean> {
    const redis = new Redis({
      host: '127.0.0.1',
      port: this.port,
      protocol: 2,
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      ...this.login,
    });
    redis.on('error', () => {});
    try {
      await redis.connect();
      return (await redis.ping()) === 'PONG';
    } catch {
      return false;
    } finally {
      redis.disconnect();
    }
  }
}

/** A free port of 127.0.0.1. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
