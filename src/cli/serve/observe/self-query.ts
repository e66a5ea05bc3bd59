import { createSocket } from 'node:dgram';
import { answerCounter, type CounterBlock, Transport } from '../../../metrics/index.ts';
import type { ReadinessCheck } from '../../../metrics/scrape/index.ts';
import { formatAddress, parseAddress, type SocketAddress } from '../../../net/index.ts';

/** `invalid. A`: NXDOMAIN for a registered source and REFUSED for others, without an upstream (RFC 6761, section 6.4). */
const QUERY = Buffer.from('4d5300000001000000000000' + '07696e76616c696400' + '00010001', 'hex');
const QR = 0x80;
const TIMEOUT_MS = 2000;
/** Lost queries in a row, each from a new port and so perhaps to another thread, after which the edge is not ready. */
const MOST_LOST = 3;

/** Sends a query. @returns true if any reply to it came */
export type AskEdge = (to: SocketAddress) => Promise<boolean>;

export interface SelfQueryOptions {
  /** Addresses of the UDP listeners. */
  readonly listeners: () => readonly SocketAddress[];
  /** Why a query from this host may stay without a reply; null: it may not. */
  readonly obstacle: () => string | null;
  /** UDP replies sent so far. */
  readonly replies: () => number;
  readonly ask?: AskEdge;
}

interface Listener {
  lost: number;
  /** True once a query was answered: until then a firewall may be in the way. */
  hasAnswered: boolean;
  isAsking: boolean;
}

/**
 * Asks the edge's own UDP listeners, as /readyz is asked, so that a quiet edge has no queries but those of homes. The check
 * tells the results of before.
 */
export class SelfQuery {
  private readonly options: SelfQueryOptions;
  private readonly ask: AskEdge;
  /** Replies to queries of our own: they do not show that the edge answers others. */
  private ownReplies = 0;
  private readonly states = new Map<string, Listener>();
  private isClosed = false;

  constructor(options: SelfQueryOptions) {
    this.options = options;
    this.ask = options.ask ?? askByUdp;
  }

  /**
   * Not ready after three lost queries in a row to a listener that answered before. An edge that sends replies to others
   * meanwhile is busy, not dead.
   */
  readiness(): ReturnType<ReadinessCheck['check']> {
    const obstacle = this.options.obstacle();
    if (obstacle !== null) return { ready: true, state: 'not_asked', detail: { reason: obstacle } };
    const dead: string[] = [];
    let answered = 0;
    for (const to of this.options.listeners()) {
      const name = `${formatAddress(to.address)}#${to.port}`;
      const listener = this.listenerOf(name);
      if (listener.hasAnswered && listener.lost >= MOST_LOST) dead.push(name);
      if (listener.hasAnswered) answered++;
      void this.askOn(listener, to);
    }
    if (dead.length > 0) return { ready: false, state: 'no_answer', detail: { listeners: dead.join(' ') } };
    return { ready: true, state: answered > 0 ? 'answered' : 'unknown' };
  }

  close(): void {
    this.isClosed = true;
  }

  private get repliesToOthers(): number {
    return this.options.replies() - this.ownReplies;
  }

  private listenerOf(name: string): Listener {
    const known = this.states.get(name);
    if (known !== undefined) return known;
    const listener = { lost: 0, hasAnswered: false, isAsking: false };
    this.states.set(name, listener);
    return listener;
  }

  /** Asks once; while a listener that answered before does not, goes on. */
  private async askOn(listener: Listener, to: SocketAddress): Promise<void> {
    if (listener.isAsking) return;
    listener.isAsking = true;
    do {
      const before = this.repliesToOthers;
      if (await this.ask(reachable(to))) {
        this.ownReplies++;
        listener.lost = 0;
        listener.hasAnswered = true;
      } else if (this.options.obstacle() !== null || this.repliesToOthers > before) {
        listener.lost = 0;
      } else listener.lost++;
    } while (listener.lost > 0 && listener.lost < MOST_LOST && listener.hasAnswered && !this.isClosed);
    listener.isAsking = false;
  }
}

/** The address to reach a listener at: loopback for the wildcard address. */
function reachable({ address, port }: SocketAddress): SocketAddress {
  if (address.bytes.some((byte) => byte !== 0)) return { address, port };
  return { address: parseAddress(address.family === 4 ? '127.0.0.1' : '::1')!, port };
}

/** Asks from a new port. */
function askByUdp({ address, port }: SocketAddress): Promise<boolean> {
  const socket = createSocket(address.family === 4 ? 'udp4' : 'udp6').unref();
  return new Promise((resolve) => {
    const end = (isAnswered: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(isAnswered);
    };
    const timer = setTimeout(() => end(false), TIMEOUT_MS).unref();
    socket.once('error', () => end(false));
    socket.once('message', (reply) =>
      end(reply.length >= 3 && reply[0] === QUERY[0] && reply[1] === QUERY[1] && (reply[2] & QR) !== 0),
    );
    socket.connect(port, formatAddress(address), () => socket.send(QUERY));
  });
}

/** Replies that the threads of these counters have sent over UDP. */
export function countUdpReplies(blocks: readonly CounterBlock[]): number {
  const first = answerCounter(Transport.UDP, 0);
  const end = answerCounter(Transport.TCP, 0);
  let sum = 0;
  for (const { values } of blocks) {
    for (let slot = first; slot < end; slot++) sum += values[slot];
  }
  return sum;
}
