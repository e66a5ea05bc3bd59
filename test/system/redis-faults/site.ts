/** A control and two edges on one Redis, with the acknowledged addresses and a watch on DNS answers. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiReply } from '../../support/api.ts';
import { encodeQuery, readReply, shown } from '../../support/dns-client.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { type ConfigFields, FILMS, type RunningService, runProgram } from '../../support/service.ts';
import { ask, readiness, SERVED, soon, startControl, startEdge, startRedis } from './support.ts';

const CONFIG: ConfigFields = { registration: { allowPrivate: true, perAccount: 1_000 } };

export class Site {
  readonly base: string;
  redis!: RedisServer;
  control!: RunningService;
  edges!: RunningService[];
  account!: { id: string; secret: string };
  /** Addresses whose registration was answered 2xx. */
  readonly acknowledged = new Set<string>();
  private last = 0;

  private constructor(base: string) {
    this.base = base;
  }

  /** @param base the first two bytes of all addresses, of 127.0.0.0/8 */
  static async start(base: string): Promise<Site> {
    const site = new Site(base);
    site.redis = await startRedis();
    site.control = await startControl(site.redis.url, { config: CONFIG });
    site.account = await site.control.admin.make('/v1/accounts');
    site.edges = await Promise.all([startEdge(site.redis.edgeUrl), startEdge(site.redis.edgeUrl)]);
    return site;
  }

  /** Returns an unused address. */
  next(): string {
    this.last += 1;
    return `${this.base}.${this.last >> 8}.${this.last & 255}`;
  }

  /** Returns an address that is never registered. */
  never(): string {
    return `${this.base}.250.${++this.last & 255}`;
  }

  /** Tries to register an address once. */
  async tryRegister(address: string, key = address): Promise<ApiReply> {
    const path = `/v1/accounts/${this.account.id}/registrations`;
    const reply = await this.control.admin.call('POST', path, { address }, { 'idempotency-key': key });
    if (reply.status === 200 || reply.status === 201) this.acknowledged.add(address);
    return reply;
  }

  /** Registers new addresses and waits until each edge serves them. */
  async register(count: number): Promise<string[]> {
    const addresses = Array.from({ length: count }, () => this.next());
    for (const address of addresses) {
      const { status, text } = await this.tryRegister(address);
      if (status !== 201) throw new Error(`not registered: ${status} ${text}`);
    }
    await this.followed();
    return addresses;
  }

  async seq(): Promise<number> {
    const client = this.redis.client();
    try {
      return Number(await client.hget('{mediastreamer}:1:meta', 'seq'));
    } finally {
      client.disconnect();
    }
  }

  /** Waits until both edges follow, at the store's position. */
  async followed(timeoutMs?: number): Promise<void> {
    const seq = await this.seq();
    for (const edge of this.edges) {
      await soon(async () => {
        const found = await readiness(edge);
        return (found.seq >= seq && (found.state === 'following' || found.state === 'no-heartbeat')) || found;
      }, timeoutMs);
    }
  }

  /** Lists acknowledged addresses that an edge does not serve. */
  async unserved(): Promise<string[]> {
    const missing: string[] = [];
    for (const edge of this.edges) {
      for (const address of this.acknowledged) {
        if ((await ask(edge, address)) !== SERVED) missing.push(address);
      }
    }
    return missing;
  }

  /** Waits until both edges have the same state, and returns it. */
  async bothAre(state: string): Promise<void> {
    for (const edge of this.edges) {
      await soon(async () => {
        const found = await readiness(edge);
        return found.state === state || found;
      });
    }
  }

  /** Waits until the API accepts registrations again, with a new account: the old one may be lost. */
  async taking(): Promise<void> {
    await soon(async () => {
      const { status, body, text } = await this.control.admin.call('POST', '/v1/accounts', {});
      if (status === 201) this.account = body;
      return status === 201 || text;
    });
    await this.register(1);
  }

  /** Runs `mediastreamer registry` with the control's configuration. */
  run(...args: string[]): ReturnType<typeof runProgram> {
    return runProgram(['registry', ...args, '--config', `${this.control.folder}/config.yaml`]);
  }

  /** Adopts the data: a new epoch begins, in which edges and API work. */
  async adopt(): Promise<void> {
    const { code, stdout, stderr } = await this.run('adopt', '--yes');
    if (code !== 0) throw new Error(`adopt: ${code} ${stdout}${stderr}`);
    this.acknowledged.clear();
    await this.taking();
    await this.followed();
  }
}

/**
 * Asks all edges continuously, from registered addresses and from others, and records wrong and missing answers.
 */
export class Watch {
  asked = 0;
  readonly wrong: string[] = [];
  readonly silent: string[] = [];
  private isStopped = false;
  private readonly running: Promise<unknown>;

  constructor(edges: readonly RunningService[], registered: readonly string[], never: readonly string[]) {
    const askers = edges.flatMap((edge) => [
      ...registered.map((from) => this.watch(edge, from, SERVED)),
      ...never.map((from) => this.watch(edge, from, 'REFUSED')),
    ]);
    this.running = Promise.all(askers);
  }

  async stop(): Promise<{ asked: number; wrong: string[]; silent: string[] }> {
    this.isStopped = true;
    await this.running;
    const { asked, wrong, silent } = this;
    return { asked, wrong, silent };
  }

  private async watch(edge: RunningService, from: string, expected: string): Promise<void> {
    const socket = createSocket('udp4').bind(0, from);
    await once(socket, 'listening');
    while (!this.isStopped) {
      const answer = await askOnce(socket, edge);
      this.asked += 1;
      // Edges limit the rate of answers to unregistered sources.
      if (answer === null && expected === SERVED) this.silent.push(from);
      if (answer !== null && answer !== expected) this.wrong.push(`${from}: ${answer}`);
      await delay(expected === SERVED ? 25 : 100);
    }
    socket.close();
  }
}

const ANSWER_MS = 5_000;

async function askOnce(socket: Socket, { udp }: RunningService): Promise<string | null> {
  const query = encodeQuery({ name: FILMS });
  const id = query.readUInt16BE(0);
  return new Promise((resolve) => {
    const done = (answer: string | null): void => {
      socket.off('message', heard);
      clearTimeout(late);
      resolve(answer);
    };
    const heard = (reply: Buffer): void => {
      if (reply.readUInt16BE(0) === id) done(shown(readReply(reply)));
    };
    const late = setTimeout(() => done(null), ANSWER_MS);
    socket.on('message', heard);
    socket.send(query, udp.port, udp.host);
  });
}
