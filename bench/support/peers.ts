import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers } from './answers.ts';
import { freePort } from './edge.ts';
import { queryFor } from './prober.ts';
import { type Server, startUntil } from './process.ts';
import { findProgram } from './programs.ts';

/** Task of every server: answer these names and all below them with one address, for a list of sources. */
export interface PeerJob {
  readonly names: readonly string[];
  readonly relay: string;
  readonly ttlSeconds: number;
  /** Addresses that may ask, 127.0.0.1 among them. */
  readonly allowed: readonly string[];
  /** Where dnsdist and the C program listen; 127.0.0.1 by default. */
  readonly address?: string;
}

export interface Peer extends Server {
  readonly port: number;
}

export interface PeerKind {
  readonly label: string;
  readonly program: string;
  version(): string;
  /** Writes the configuration into an empty directory. @returns the command */
  configure(directory: string, port: number, job: PeerJob): string[];
}

/** The receive buffer of every server, as the edge has it. */
const BUFFER_BYTES = 4 << 20;

const write = (directory: string, name: string, lines: readonly string[]): string => {
  const file = join(directory, name);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
};

const firstLine = (program: string, option: string): string => {
  const { stdout, stderr } = spawnSync(findProgram(program)!, [option], { encoding: 'utf8' });
  return `${stdout}${stderr}`.split('\n').find((line) => /\d+\.\d+/.test(line)) ?? 'unknown';
};

/** The pair of an ACL from a file and a suffix list, as people run it; `tuned`: batches and a packet cache. */
function dnsdist(tuned: boolean): PeerKind {
  return {
    label: tuned ? 'dnsdist, tuned' : 'dnsdist as it comes',
    program: 'dnsdist',
    version: () => firstLine('dnsdist', '--version'),
    configure(directory, port, job) {
      const acl = write(directory, 'acl', job.allowed);
      const config = write(directory, 'dnsdist.conf', [
        `setLocal('${job.address ?? '127.0.0.1'}:${port}')`,
        `setACLFromFile('${acl}')`,
        `setSecurityPollSuffix('')`,
        `setUDPSocketBufferSizes(${BUFFER_BYTES}, ${BUFFER_BYTES})`,
        `newServer({address='127.0.0.1:9', healthCheckMode='up'})`,
        ...(tuned
          ? ['setUDPMultipleMessagesVectorSize(64)', `getPool(''):setCache(newPacketCache(100000))`]
          : []),
        'names = newSuffixMatchNode()',
        ...job.names.map((name) => `names:add(newDNSName('${name}.'))`),
        `addAction(SuffixMatchNodeRule(names), SpoofAction('${job.relay}', {ttl=${job.ttlSeconds}}))`,
      ]);
      return ['dnsdist', '--supervised', '--disable-syslog', '-C', config];
    },
  };
}

const unbound: PeerKind = {
  label: 'unbound, local-data',
  program: 'unbound',
  version: () => firstLine('unbound', '-V'),
  configure(directory, port, job) {
    const zones = job.names.flatMap((name) => [
      `local-zone: "${name}." redirect`,
      `local-data: "${name}. ${job.ttlSeconds} A ${job.relay}"`,
    ]);
    const config = write(directory, 'unbound.conf', [
      'server:',
      ...[`interface: 127.0.0.1@${port}`, 'num-threads: 1', 'do-daemonize: no', 'chroot: ""', 'username: ""'],
      ...[`directory: "${directory}"`, `pidfile: "${directory}/pid"`, 'use-syslog: no', 'verbosity: 0'],
      ...['so-rcvbuf: 4m', 'module-config: "iterator"', 'access-control: 0.0.0.0/0 refuse'],
      ...job.allowed.map((address) => `access-control: ${address}/32 allow`),
      ...zones,
    ]);
    return ['unbound', '-d', '-c', config];
  },
};

/** Fixed answers without a list of sources, which it has not: the ceiling. Its receive buffer is 1 MiB at the most. */
const gdnsd: PeerKind = {
  label: 'gdnsd, without a list',
  program: 'gdnsd',
  version: () => firstLine('gdnsd', '-V'),
  configure(directory, port, job) {
    for (const folder of ['zones', 'run', 'state']) mkdirSync(join(directory, folder));
    const within = (name: string): boolean =>
      job.names.some((other) => other !== name && name.endsWith(`.${other}`));
    for (const name of job.names.filter((one) => !within(one))) {
      write(join(directory, 'zones'), name, [
        `$TTL ${job.ttlSeconds}`,
        `@ SOA ns hostmaster 1 7200 1800 259200 900`,
        '@ NS ns',
        ...['ns', '@', '*'].map((owner) => `${owner} A ${job.relay}`),
      ]);
    }
    write(directory, 'config', [
      'options => {',
      ` run_dir => "${directory}/run", state_dir => "${directory}/state",`,
      ` listen => { "127.0.0.1:${port}" => { udp_threads => 1, tcp_threads => 1, udp_rcvbuf => 1048576 } }`,
      '}',
    ]);
    return ['gdnsd', '-c', directory, 'start'];
  },
};

/** A program in C that answers without looking: what the socket's system calls alone cost. */
const limit: PeerKind = {
  label: 'C, fixed answer',
  program: 'cc',
  version: () => firstLine('cc', '--version'),
  configure(directory, port, job) {
    const program = join(directory, 'limit');
    execFileSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'limit.c')]);
    return [program, String(port), job.address ?? '127.0.0.1'];
  },
};

export const PEERS: Readonly<Record<string, PeerKind>> = {
  'dnsdist-tuned': dnsdist(true),
  dnsdist: dnsdist(false),
  unbound,
  gdnsd,
  limit,
};

/** Starts a peer on one processor; it is ready when it answers `name`. */
export async function startPeer(kind: PeerKind, processor: number, job: PeerJob): Promise<Peer> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-peer-'));
  const port = await freePort();
  const [program, ...rest] = kind.configure(directory, port, job);
  const command = [findProgram(program!) ?? program!, ...rest];
  const query = queryFor(job.names[0]!, 1);
  const server = await startUntil(processor, command, () => answers(port, query, job.address));
  return {
    ...server,
    port,
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
