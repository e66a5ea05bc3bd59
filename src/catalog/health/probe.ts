import { connect, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { ProbeNotice, parseAddress, readProbeNotice } from '../../net/index.ts';
import { FirstBytes } from './first-bytes.ts';
import type { ProbeOutcome, ProbeReport } from './probe-outcome.ts';

export interface ProberOptions {
  /** Monotonic clock, in ms. */
  now(): number;
  /** True if this host has an address to reach others of the family. */
  hasFamily(family: 4 | 6): boolean;
}

/** The address to connect to, and the name to ask for. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly name: string;
}

/** Errors of this host. */
const LOCAL = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPERM']);
const NOTICES: Readonly<Record<ProbeNotice, ProbeOutcome>> = {
  [ProbeNotice.DRAINING]: 'draining',
  [ProbeNotice.UNLISTED]: 'unlisted',
  [ProbeNotice.UNRESOLVED]: 'no-address',
  [ProbeNotice.FORBIDDEN]: 'forbidden',
  [ProbeNotice.UNREACHABLE]: 'origin-unreachable',
};

/**
 * Connects to names through relays by TLS, as a device would, and closes after the handshake. The certificate
 * is verified against Node's CA store (NODE_EXTRA_CA_CERTS adds to it), so only the origin itself can pass.
 */
export class Prober {
  private readonly options: ProberOptions;
  private context: SecureContext | null = null;

  constructor(options: ProberOptions) {
    this.options = options;
  }

  /**
   * @param timeoutMs for the whole probe
   * @param signal aborts the probe, which is then `untried`
   */
  probe(target: ProbeTarget, timeoutMs: number, signal?: AbortSignal): Promise<ProbeReport> {
    const { now } = this.options;
    const startedAtMs = now();
    return new Promise((resolve) => {
      let isConnected = false;
      const socket = connect({ host: target.address, port: target.port, noDelay: true });
      const finish = (outcome: ProbeOutcome): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        socket.destroy();
        resolve({ outcome, milliseconds: now() - startedAtMs });
      };
      const abort = (): void => finish('untried');
      const timer = setTimeout(() => finish(isConnected ? 'timeout' : 'unreachable'), timeoutMs);
      signal?.addEventListener('abort', abort);
      if (signal?.aborted) abort();
      socket.once('connect', () => {
        isConnected = true;
        this.shakeHands(socket, target.name, finish);
      });
      // After connecting, the TLS layer reports errors.
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (!isConnected) finish(this.ofConnect(error, target));
      });
    });
  }

  private ofConnect({ code = '' }: NodeJS.ErrnoException, { address }: ProbeTarget): ProbeOutcome {
    const family = parseAddress(address)?.family ?? 4;
    // Accepted and then reset. A refused connection has another code.
    if (code === 'ECONNRESET') return 'closed';
    const isOurs = LOCAL.has(code) || (code === 'ENETUNREACH' && !this.options.hasFamily(family));
    return isOurs ? 'untried' : 'unreachable';
  }

  private shakeHands(socket: Socket, name: string, finish: (outcome: ProbeOutcome) => void): void {
    this.context ??= createSecureContext();
    const stream = new FirstBytes(socket);
    const tls = connectTls({
      socket: stream,
      servername: name,
      secureContext: this.context,
      // Checked in secureConnect: an untrusted certificate is reported differently from a failed handshake.
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    tls.once('secureConnect', () => {
      finish(tls.authorized ? 'ok' : 'certificate');
      tls.destroy();
    });
    const failed = (): void => {
      finish(ofFirstBytes(stream.received));
      tls.destroy();
    };
    tls.on('error', failed);
    tls.once('close', failed);
    stream.on('error', failed);
  }
}

function ofFirstBytes(received: Buffer): ProbeOutcome {
  const notice = readProbeNotice(received);
  if (notice !== null) return NOTICES[notice];
  return received.length === 0 ? 'closed' : 'origin-refuses';
}
