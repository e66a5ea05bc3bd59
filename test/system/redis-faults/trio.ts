/** Three nodes of Redis and three Sentinels on config/deploy's files, each node behind a path that can be cut. */

import { once } from 'node:events';
import { copyFileSync, mkdirSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import {
  freePort,
  type ShippedUser,
  shippedPassword,
  writeShippedFiles,
} from '../../support/redis-server.ts';
import { Program, ROOT, temporaryFolder } from '../../support/service.ts';
import { soon } from './support.ts';

const DEPLOY = join(ROOT, 'config/deploy');
const HOST = '127.0.0.1';
/** Nodes and Sentinels connect from here, so that paths tell them from controls and edges. */
const INSIDE = '127.0.0.2';
const LOOKUP_PASSWORD = 'password-of-lookup';
const FAILOVER_MS = 60_000;

/** The address of a node for all others. `isolate` cuts it off from nodes and Sentinels, but not from its clients. */
class NodePath {
  private readonly server: Server;
  private readonly inside = new Set<Socket>();
  private readonly all = new Set<Socket>();
  private isIsolated = false;

  constructor(port: number) {
    this.server = createServer((client) => {
      const node = connect(port, HOST);
      const isInside = client.remoteAddress === INSIDE;
      for (const socket of [client, node]) {
        this.all.add(socket);
        if (isInside) this.inside.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.all.delete(socket);
          this.inside.delete(socket);
        });
      }
      const carry = (from: Socket, to: Socket): void => {
        from.on('data', (bytes) => {
          if (!(isInside && this.isIsolated)) to.write(bytes);
        });
        from.on('close', () => to.destroy());
      };
      carry(client, node);
      carry(node, client);
    });
  }

  async listen(): Promise<number> {
    this.server.listen(0, HOST);
    await once(this.server, 'listening');
    return (this.server.address() as { port: number }).port;
  }

  /** Swallows everything from and to nodes and Sentinels. */
  isolate(): void {
    this.isIsolated = true;
  }

  mend(): void {
    this.isIsolated = false;
    // Bytes are missing in these.
    for (const socket of this.inside) socket.destroy();
  }

  close(): void {
    for (const socket of this.all) socket.destroy();
    this.server.close();
  }
}

export class TrioNode {
  /** Where others reach it. */
  readonly announced: number;
  readonly path: NodePath;
  private readonly port: number;
  private readonly folder: string;
  private readonly primary: string;
  private program: Program | null = null;

  constructor(parts: { announced: number; path: NodePath; port: number; folder: string; primary: string }) {
    this.announced = parts.announced;
    this.path = parts.path;
    this.port = parts.port;
    this.folder = parts.folder;
    this.primary = parts.primary;
  }

  async start(): Promise<void> {
    const data = join(this.folder, 'data');
    mkdirSync(data, { recursive: true });
    const env = {
      MEDIASTREAMER_NODE: `${HOST}:${this.port}`,
      MEDIASTREAMER_FIRST_PRIMARY: this.primary,
      MEDIASTREAMER_REPLICA_PASSWORD: shippedPassword('replica'),
    };
    // The path's port stands for the node's own, and its source address says that it is a node.
    const path = ['--replica-announce-port', `${this.announced}`, '--bind-source-addr', INSIDE];
    const args = [...path, '--repl-diskless-sync-delay', '0'];
    this.program = new Program('sh', [join(this.folder, 'start-redis-node.sh'), data, ...args], { env });
    await soon(async () => (await this.role()) !== null);
  }

  signal(name: NodeJS.Signals): void {
    this.program!.child.kill(name);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.program!.exited;
  }

  /** 'master', 'slave', or null while it does not answer. */
  async role(): Promise<string | null> {
    return (await this.info('role')) ?? null;
  }

  /** Replicas that are connected to it. */
  async replicas(): Promise<number> {
    return Number((await this.info('connected_slaves')) ?? 0);
  }

  async isLinked(): Promise<boolean> {
    return (await this.info('master_link_status')) === 'up';
  }

  private async info(name: string): Promise<string | undefined> {
    const client = new Redis({
      host: HOST,
      port: this.port,
      username: 'tester',
      password: 'password-of-tester',
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      retryStrategy: () => null,
      commandTimeout: 500,
      connectTimeout: 500,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return new RegExp(`^${name}:(\\w+)`, 'm').exec(await client.info('replication'))?.[1];
    } catch {
      return undefined;
    } finally {
      client.disconnect();
    }
  }
}

export class Trio {
  readonly nodes: TrioNode[] = [];
  private readonly sentinels: Program[] = [];
  private readonly ports: number[] = [];

  static async start(): Promise<Trio> {
    const trio = new Trio();
    let primary = '';
    for (let index = 0; index < 3; index++) {
      const port = await freePort();
      const path = new NodePath(port);
      const announced = await path.listen();
      const folder = temporaryFolder();
      writeShippedFiles(folder, port);
      for (const name of ['start-redis.sh', 'start-redis-node.sh']) {
        copyFileSync(join(DEPLOY, name), join(folder, name));
      }
      // The first one is its own primary by its own port, and everyone else's by its path.
      const node = new TrioNode({ announced, path, port, folder, primary: primary || `${HOST}:${port}` });
      if (index === 0) primary = `${HOST}:${announced}`;
      trio.nodes.push(node);
      await node.start();
    }
    for (const _ of trio.nodes) trio.sentinels.push(await trio.startSentinel(primary));
    await trio.settled();
    return trio;
  }

  urlOf(user: ShippedUser): string {
    const sentinels = this.ports.map((port) => `${HOST}:${port}`).join(',');
    const lookup = `sentinelUser=lookup&sentinelPassword=${LOOKUP_PASSWORD}`;
    return `redis://${user}:${shippedPassword(user)}@mediastreamer/0?sentinels=${sentinels}&${lookup}`;
  }

  /** The node that the Sentinels name. */
  async primary(): Promise<TrioNode> {
    const [, port] = (await this.ask('get-master-addr-by-name')) as [string, string];
    return this.nodes.find(({ announced }) => announced === Number(port))!;
  }

  /** Waits until the Sentinels have made another node the primary. */
  async failedOver(from: TrioNode): Promise<TrioNode> {
    await soon(async () => (await this.primary()) !== from, FAILOVER_MS);
    return this.primary();
  }

  /** Waits until two nodes follow the primary and the Sentinels know them. */
  async settled(): Promise<void> {
    await soon(async () => {
      const primary = await this.primary();
      const others = this.nodes.filter((node) => node !== primary);
      const links = await Promise.all(others.map((node) => node.isLinked()));
      const known = (await this.ask('replicas')) as string[][];
      const flags = known.map((fields) => fields[fields.indexOf('flags') + 1]);
      const peers = ((await this.ask('sentinels')) as unknown[]).length;
      const found = { replicas: await primary.replicas(), links, flags, peers };
      const isSettled =
        found.replicas === 2 && links.every(Boolean) && flags.join() === 'slave,slave' && peers === 2;
      return isSettled || found;
    }, FAILOVER_MS);
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) {
      node.signal('SIGCONT');
      await node.kill();
      node.path.close();
    }
    for (const sentinel of this.sentinels) {
      sentinel.child.kill('SIGKILL');
      await sentinel.exited;
    }
  }

  private async startSentinel(primary: string): Promise<Program> {
    const port = await freePort();
    this.ports.push(port);
    const env = {
      MEDIASTREAMER_SENTINEL: `${HOST}:${port}`,
      MEDIASTREAMER_FIRST_PRIMARY: primary,
      MEDIASTREAMER_SENTINEL_PASSWORD: shippedPassword('sentinel'),
      MEDIASTREAMER_LOOKUP_PASSWORD: LOOKUP_PASSWORD,
    };
    const args = [join(DEPLOY, 'start-sentinel.sh'), temporaryFolder(), '--bind-source-addr', INSIDE];
    return new Program('sh', args, { env });
  }

  private async ask(command: string): Promise<unknown> {
    const client = new Redis({
      host: HOST,
      port: this.ports[0],
      username: 'lookup',
      password: LOOKUP_PASSWORD,
      protocol: 2,
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    client.on('error', () => {});
    try {
      return await client.call('SENTINEL', command, 'mediastreamer');
    } finally {
      client.disconnect();
    }
  }
}
