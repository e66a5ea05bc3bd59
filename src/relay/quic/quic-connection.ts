import { HelloState } from '../../net/hello/index.ts';
import type { Address } from '../../net/index.ts';
import { RelayDirection, RelayOutcome } from '../counters.ts';
import { dialOrigin } from '../origin-dial.ts';
import { TLS_PORT } from '../policy.ts';
import type { ClientSource } from '../source.ts';
import type { ClientPath } from './client-path.ts';
import { type ClientConnection, ClientTuple } from './client-tuple.ts';
import { idText } from './connection-table.ts';
import type { Datagram } from './datagram.ts';
import { HeldDatagrams } from './held-datagrams.ts';
import type { HelloPackets } from './hello-packets.ts';
import { LongHeader, NEGOTIATION } from './long-header.ts';
import type { OriginSocket } from './origin-socket.ts';
import type { QuicContext } from './quic-context.ts';
import { type Refused, refusal } from './refusal.ts';

const State = { NAMELESS: 0, CONNECTING: 1, CARRYING: 2, CLOSED: 3 } as const;
type State = (typeof State)[keyof typeof State];

const MS_PER_SECOND = 1000;
/** Byte-rate debt past which the client's own datagrams are dropped too; its acknowledgements should pass. */
const MAX_DEBT_MS = 1000;
const UNKNOWN_LENGTH = -1;

/** Reused for all headers; valid within one call. */
const header = new LongHeader();

/**
 * Outcomes before carrying that are answered with a refusal: the client then tries TCP or gives up at once.
 */
const TOLD: ReadonlySet<RelayOutcome> = new Set([
  RelayOutcome.UNLISTED,
  RelayOutcome.UNNAMED,
  RelayOutcome.LIMITED,
  RelayOutcome.UNRESOLVED,
  RelayOutcome.FORBIDDEN,
  RelayOutcome.UNREACHABLE,
]);

/** First datagram of a connection. */
export interface Beginning extends Refused {
  /** The datagram; `packets` has read it, with result `state`. */
  readonly first: Buffer;
  readonly packets: HelloPackets;
  readonly state: HelloState;
  readonly source: ClientSource;
  /** SourceLimits' hash of the source, which has been counted in. */
  readonly sourceHash: number;
}

/**
 * A client's QUIC connection and its socket to the origin. Datagrams pass unchanged; the relay reads only what
 * no secret key protects: the Initials with the name, and connection ids.
 * The anti-amplification limit (RFC 9000 section 8) is the origin's duty: it sees the relay's address, and one
 * relay datagram per client datagram. The relay itself sends nothing to unregistered addresses.
 */
export class QuicConnection implements ClientConnection {
  readonly tuple = new ClientTuple();
  source: ClientSource;
  path: ClientPath;
  /** Time of the last datagram. */
  activeAtMs: number;
  sourceHash: number;
  private readonly context: QuicContext;
  private state: State = State.NAMELESS;
  private serviceSlot = 0;
  private origin: OriginSocket | null = null;
  private upBytes = 0;
  private downBytes = 0;
  /** Length of the ids that the origin issues and the client's short headers begin with. */
  private idLength = UNKNOWN_LENGTH;
  /** Latest id issued by the origin. */
  private originId: Uint8Array = NOTHING;
  /** The client has used an id that was sent to its address, so the address is real. */
  private isConfirmed = false;
  /** Latest id used by the client. */
  private currentId: Uint8Array = NOTHING;
  /** State until the connection carries. */
  private prelude: Prelude | null;

  /** @param datagram the first one, for its return path */
  constructor(context: QuicContext, beginning: Beginning, datagram: Datagram) {
    this.context = context;
    this.source = beginning.source;
    this.sourceHash = beginning.sourceHash;
    this.path = context.pathOf(datagram);
    this.activeAtMs = context.nowMs;
    const { handshakeMs } = context.relay.policy.limits;
    const { destinationId, packets } = beginning;
    this.prelude = {
      refused: beginning,
      packets,
      held: new HeldDatagrams(context.held),
      attempts: new Set(),
      cancelWait: context.after(handshakeMs, () => this.end(RelayOutcome.TIMEOUT)),
    };
    context.table.add(this, datagram);
    context.table.addId(this, idText(destinationId, 0, destinationId.length));
    this.prelude.held.add(beginning.first);
    this.proceed(packets, beginning.state);
  }

  get isCarrying(): boolean {
    return this.state === State.CARRYING;
  }

  get idleMs(): number {
    const { quicIdleMs, handshakeMs } = this.context.relay.policy.limits;
    return this.isConfirmed ? quicIdleMs : Math.min(quicIdleMs, handshakeMs);
  }

  handle(datagram: Datagram): void {
    if (this.state === State.CARRYING) this.carry(datagram);
    else if (this.state !== State.CLOSED) this.hold(datagram);
  }

  hasCurrentId({ bytes, length }: Datagram): boolean {
    const { currentId, idLength } = this;
    if (idLength <= 0) return idLength === 0;
    if (length <= idLength || currentId.length !== idLength) return false;
    for (let i = 0; i < idLength; i++) if (bytes[1 + i] !== currentId[i]) return false;
    return true;
  }

  learnShortId({ bytes, length }: Datagram): void {
    const { idLength } = this;
    if (idLength <= 0 || length <= idLength) return;
    this.currentId = Uint8Array.from(bytes.subarray(1, 1 + idLength));
    this.context.table.addId(this, idText(bytes, 1, 1 + idLength));
  }

  follow(datagram: Datagram, source: ClientSource, sourceHash: number): void {
    this.source = source;
    this.sourceHash = sourceHash;
    this.path = this.context.pathOf(datagram);
    this.context.table.move(this, datagram);
  }

  /** Ends the connection at once. */
  end(outcome: RelayOutcome): void {
    if (this.state === State.CLOSED) return;
    const { relay, table } = this.context;
    const { prelude } = this;
    if (this.isCarrying) {
      this.count();
      relay.counters.addOpen(this.serviceSlot, -1);
    }
    this.state = State.CLOSED;
    table.remove(this);
    relay.limits.leave(this.sourceHash);
    relay.counters.ended(this.serviceSlot, outcome);
    this.origin?.close();
    if (prelude === null) return;
    this.prelude = null;
    prelude.cancelWait();
    prelude.held.drop();
    if (TOLD.has(outcome)) this.path.send(refusal(prelude.refused));
  }

  /** Notes an origin's datagram that is about to be carried. */
  received(bytes: Uint8Array, length: number): void {
    this.downBytes += length;
    if ((bytes[0] & 0x80) !== 0) this.learnOriginId(bytes, length);
  }

  /** Counts what was carried. @returns true if the source has used its byte rate */
  exceedsRate(): boolean {
    return this.count() > 0;
  }

  /**
   * Learns the origin's source connection id; after a Retry it is the one in there (RFC 9000 section 17.2.5).
   */
  private learnOriginId(bytes: Uint8Array, length: number): void {
    if (!header.read(bytes, 0, length) || header.version === NEGOTIATION) return;
    const { sourceStart, sourceEnd } = header;
    this.idLength = sourceEnd - sourceStart;
    this.originId = Uint8Array.from(bytes.subarray(sourceStart, sourceEnd));
    this.context.table.addId(this, idText(bytes, sourceStart, sourceEnd));
  }

  private carry(datagram: Datagram): void {
    this.upBytes += datagram.length;
    this.activeAtMs = this.context.nowMs;
    if (!this.isConfirmed) this.isConfirmed = this.usesOriginId(datagram);
    if (this.context.relay.limits.limitsBytes && this.count() > MAX_DEBT_MS) return;
    this.origin!.send(datagram);
  }

  private usesOriginId({ bytes, length, isLong }: Datagram): boolean {
    const { originId, idLength } = this;
    if (idLength === UNKNOWN_LENGTH) return false;
    if (isLong && (length < 6 || bytes[5] !== idLength)) return false;
    const start = isLong ? 6 : 1;
    if (start + idLength > length) return false;
    return originId.every((byte, i) => bytes[start + i] === byte);
  }

  private hold(datagram: Datagram): void {
    const { packets, held, attempts } = this.prelude!;
    const copy = datagram.copy();
    if (!held.add(copy)) return;
    if (this.state === State.CONNECTING) {
      for (const socket of [...attempts]) socket.send(datagram);
      return;
    }
    this.proceed(packets, packets.read(copy));
  }

  private proceed(packets: HelloPackets, state: HelloState): void {
    if (state === HelloState.PARTIAL) return;
    if (state === HelloState.NAMED) this.authorize(packets);
    else this.end(state === HelloState.UNNAMED ? RelayOutcome.UNNAMED : RelayOutcome.MALFORMED);
  }

  private authorize({ stream }: HelloPackets): void {
    const { relay, nowMs } = this.context;
    const { name, origins } = relay;
    const { bytes, name: at } = stream;
    const rejected = relay.authorize(this.source, bytes, at.start, at.end, false, false);
    if (rejected !== null) {
      this.end(rejected);
      return;
    }
    this.serviceSlot = relay.serviceSlot;
    const prelude = this.prelude!;
    prelude.cancelWait();
    this.state = State.CONNECTING;
    const known = origins.find(name, Math.floor(nowMs / MS_PER_SECOND));
    if (known !== null) this.connect(known);
    else {
      const pending = origins.pending(name);
      prelude.cancelWait = this.context.resolve(pending.wire, (addresses) => {
        origins.resolved(pending, addresses, Math.floor(this.context.nowMs / MS_PER_SECOND));
        this.connect(addresses);
      });
    }
  }

  /** Tries the addresses as for TCP: the first that sends anything wins. */
  private connect(found: readonly Address[] | null): void {
    const { relay, after } = this.context;
    const port = relay.policy.originPort ?? TLS_PORT;
    const cancel = dialOrigin<OriginSocket>(relay, found, port, {
      after,
      isGuarded: true,
      connect: (address, done) => this.attempt(address, port, done),
      won: (origin) => this.join(origin),
      lost: (outcome) => this.end(outcome),
    });
    if (this.prelude !== null) this.prelude.cancelWait = cancel;
  }

  private attempt(address: Address, port: number, done: (origin: OriginSocket | null) => void): () => void {
    const { attempts, held } = this.prelude!;
    const { localAddresses } = this.context.relay;
    const from = localAddresses.find(({ family }) => family === address.family) ?? null;
    const isPossible = localAddresses.length === 0 || from !== null;
    const connection = this;
    const opened = isPossible
      ? this.context.open(address, port, from, {
          get path() {
            return connection.path;
          },
          answered: () => done(opened),
          failed() {
            cancel();
            done(null);
          },
          received: (bytes, length) => connection.received(bytes, length),
          exceedsRate: () => connection.exceedsRate(),
        })
      : null;
    const cancel = (): void => {
      if (opened === null) return;
      attempts.delete(opened);
      opened.close();
    };
    if (opened === null) {
      done(null);
      return cancel;
    }
    attempts.add(opened);
    for (const datagram of held.all) opened.replay(datagram);
    return cancel;
  }

  private join(origin: OriginSocket): void {
    this.prelude!.held.drop();
    this.prelude = null;
    this.origin = origin;
    this.state = State.CARRYING;
    this.activeAtMs = this.context.nowMs;
    this.context.relay.counters.addOpen(this.serviceSlot, 1);
  }

  /** Counts the bytes carried since the last call. @returns milliseconds that the source must wait */
  private count(): number {
    const { relay, nowMs } = this.context;
    const { counters, limits } = relay;
    const { upBytes, downBytes } = this;
    if (upBytes > 0) counters.carried(this.serviceSlot, RelayDirection.TO_ORIGIN, upBytes);
    if (downBytes > 0) counters.carried(this.serviceSlot, RelayDirection.TO_CLIENT, downBytes);
    this.upBytes = 0;
    this.downBytes = 0;
    if (downBytes > 0) this.activeAtMs = nowMs;
    return limits.limitsBytes ? limits.carried(this.sourceHash, upBytes + downBytes, nowMs) : 0;
  }
}

interface Prelude {
  readonly refused: Refused;
  readonly packets: HelloPackets;
  readonly held: HeldDatagrams;
  readonly attempts: Set<OriginSocket>;
  /** Cancels what the connection waits for: name, resolver, attempts. */
  cancelWait: () => void;
}

const NOTHING = new Uint8Array(0);
