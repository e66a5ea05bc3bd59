import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './edge.ts';
import type { Peer, PeerKind } from './peers.ts';
import { type Server, startServer, startUntil } from './process.ts';
import { findProgram } from './programs.ts';
import { accepts, makeCertificate, SERVER_NAME } from './tls-server.ts';

/** The receive buffer of every server, as the edge has it. */
const BUFFER_BYTES = 4 << 20;

/** A resolver that gives every question one A record after `delayMs`, as a process of its own (upstream.c). */
export async function startDelayedUpstream(processor: number, delayMs: number): Promise<Peer> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-upstream-'));
  const program = join(directory, 'upstream');
  execFileSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'upstream.c')]);
  const port = await freePort();
  const command = [program, String(port), String(delayMs)];
  const server = await startServer(processor, command, (line) => line === 'ready');
  return {
    ...server,
    port,
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

/** HAProxy before a resolver, which ends TLS for it. */
export interface TlsFront extends Server {
  readonly port: number;
  /** Its certificate, which is its own authority, for SERVER_NAME. */
  readonly certFile: string;
}

/** Starts HAProxy on one processor, before the TCP port `upstream` of 127.0.0.1. */
export async function startTlsFront(processor: number, upstream: number): Promise<TlsFront> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-tls-front-'));
  // HAProxy finds the key beside it by its name.
  const { cert: certFile } = makeCertificate(directory);
  const port = await freePort();
  const config = join(directory, 'haproxy.cfg');
  writeFileSync(
    config,
    `global
  nbthread 1
  ssl-load-extra-files key
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen dot
  bind 127.0.0.1:${port} ssl crt ${certFile} alpn dot
  server resolver 127.0.0.1:${upstream}
`,
  );
  const command = [findProgram('haproxy')!, '-db', '-f', config];
  const server = await startUntil(processor, command, () => accepts(port));
  return {
    ...server,
    port,
    certFile,
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

/**
 * Debian's forwarders before the resolver at `upstream`, a port of 127.0.0.1, each with one thread.
 * @param certFile where they ask it over TLS: its authority
 */
export function forwarders(upstream: number, certFile?: string): Readonly<Record<string, PeerKind>> {
  return { unbound: unbound(upstream, certFile), dnsdist: dnsdist(upstream, certFile) };
}

const versionOf = (program: string, option: string): string => {
  const { stdout, stderr } = spawnSync(findProgram(program)!, [option], { encoding: 'utf8' });
  return `${stdout}${stderr}`.split('\n').find((line) => /\d+\.\d+/.test(line)) ?? 'unknown';
};

/** Caches as the edge's: 64 MiB in all. */
function unbound(upstream: number, certFile?: string): PeerKind {
  return {
    label: 'unbound',
    program: 'unbound',
    version: () => versionOf('unbound', '-V'),
    configure(directory, port) {
      const config = join(directory, 'unbound.conf');
      const name = certFile === undefined ? '' : `#${SERVER_NAME}`;
      const lines = [
        'server:',
        ...[`interface: 127.0.0.1@${port}`, 'num-threads: 1', 'do-daemonize: no', 'chroot: ""'],
        ...['username: ""', `directory: "${directory}"`, `pidfile: "${directory}/pid"`, 'use-syslog: no'],
        ...[
          'verbosity: 0',
          'so-rcvbuf: 4m',
          'module-config: "iterator"',
          'access-control: 127.0.0.0/8 allow',
        ],
        ...['do-not-query-localhost: no', 'outgoing-range: 8192', 'num-queries-per-thread: 4096'],
        ...['msg-cache-size: 32m', 'rrset-cache-size: 32m', 'local-zone: "example." transparent'],
        ...(certFile === undefined ? [] : [`tls-cert-bundle: "${certFile}"`]),
        ...['forward-zone:', 'name: "."', `forward-addr: 127.0.0.1@${upstream}${name}`],
        ...(certFile === undefined ? [] : ['forward-tls-upstream: yes']),
      ];
      writeFileSync(config, `${lines.join('\n')}\n`);
      return ['unbound', '-d', '-c', config];
    },
  };
}

/** It parses and caches little and asks from a few ports: what forwarding alone costs. */
function dnsdist(upstream: number, certFile?: string): PeerKind {
  return {
    label: 'dnsdist, tuned',
    program: 'dnsdist',
    version: () => versionOf('dnsdist', '--version'),
    configure(directory, port, { allowed }) {
      const config = join(directory, 'dnsdist.conf');
      const acl = join(directory, 'acl');
      writeFileSync(acl, `${(allowed.length === 0 ? ['127.0.0.0/8'] : allowed).join('\n')}\n`);
      const lines = [
        `setLocal('127.0.0.1:${port}')`,
        `setACLFromFile('${acl}')`,
        `setSecurityPollSuffix('')`,
        `setUDPSocketBufferSizes(${BUFFER_BYTES}, ${BUFFER_BYTES})`,
        'setUDPMultipleMessagesVectorSize(64)',
        'setMaxUDPOutstanding(65535)',
        'setMaxTCPClientThreads(1)',
        'setMaxTCPQueuedConnections(65535)',
        certFile === undefined
          ? `newServer({address='127.0.0.1:${upstream}', healthCheckMode='up', sockets=64})`
          : `newServer({address='127.0.0.1:${upstream}', healthCheckMode='up', tls='openssl', subjectName='${SERVER_NAME}', caStore='${certFile}', validateCertificates=true, maxInFlight=1000})`,
        `getPool(''):setCache(newPacketCache(250000))`,
      ];
      writeFileSync(config, `${lines.join('\n')}\n`);
      return ['dnsdist', '--supervised', '--disable-syslog', '-C', config];
    },
  };
}
