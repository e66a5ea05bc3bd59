import { connect, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { ProbeNotice, parseAddress, readProbeNotice } from '../../net/index.ts';
import { FirstOctets } from './first-octets.ts';
import type { ProbeOutcome, ProbeReport } from './probe-outcome.ts';

export interface ProberOptions {
  /** Milliseconds of a clock that does not jump. */
  now(): number;
  /** Whether this machine has an address by which it may reach others of the family. */
  hasFamily(family: 4 | 6): boolean;
}

/** What is connected to, and by which name. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly name: string;
}

/** Faults of this machine's own. */
const LOCAL = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPERM']);
const NOTICES: Readonly<Record<ProbeNotice, ProbeOutcome>> = {
  [ProbeNotice.DRAINING]: 'draining',
  [ProbeNotice.UNLISTED]: 'unlisted',
  [ProbeNotice.UNRESOLVED]: 'no-address',
  [ProbeNotice.FORBIDDEN]: 'forbidden',
  [ProbeNotice.UNREACHABLE]: 'origin-unreachable',
};

/**
 * Connects to names through relays by TLS, as a device would, and ends each connection when the handshake is over. The
 * certificate is verified by what Node trusts (NODE_EXTRA_CA_CERTS adds to it), so that only the origin itself can pass.
 */
export class Prober {
  private readonly options: ProberOptions;
  private context: SecureContext | null = null;

  constructor(options: ProberOptions) {
    this.options = options;
  }

  /**
   * @param timeoutMs for all of it
   * @param signal ends the probe, which is then `untried`
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
      // Once it is connected, errors are told by what stands above it.
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (!isConnected) finish(this.ofConnect(error, target));
      });
    });
  }

  private ofConnect({ code = '' }: NodeJS.ErrnoException, { address }: ProbeTarget): ProbeOutcome {
    const family = parseAddress(address)?.family ?? 4;
    // Taken, and reset before we looked: what is refused has another code.
    if (code === 'ECONNRESET') return 'closed';
    const isOurs = LOCAL.has(code) || (code === 'ENETUNREACH' && !this.options.hasFamily(family));
    return isOurs ? 'untried' : 'unreachable';
  }

  private shakeHands(socket: Socket, name: string, finish: (outcome: ProbeOutcome) => void): void {
    this.context ??= createSecureContext();
    const stream = new FirstOctets(socket);
    const tls = connectTls({
      socket: stream,
      servername: name,
      secureContext: this.context,
      // Judged below: a certificate that is not trusted is told apart from a handshake that failed.
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    tls.once('secureConnect', () => {
      finish(tls.authorized ? 'ok' : 'certificate');
      tls.destroy();
    });
    const failed = (): void => {
      finish(ofFirstOctets(stream.received));
      tls.destroy();
    };
    tls.on('error', failed);
    tls.once('close', failed);
    stream.on('error', failed);
  }
}

function ofFirstOctets(received: Buffer): ProbeOutcome {
  const notice = readProbeNotice(received);
  if (notice !== null) return NOTICES[notice];
  return received.length === 0 ? 'closed' : 'origin-refuses';
}
