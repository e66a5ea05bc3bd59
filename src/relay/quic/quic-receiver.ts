import { RelayOutcome } from '../counters.ts';
import type { ClientSource } from '../source.ts';
import type { ClientConnection } from './client-tuple.ts';
import { idText } from './connection-table.ts';
import type { Datagram } from './datagram.ts';
import { HelloPackets } from './hello-packets.ts';
import { MIN_INITIAL_DATAGRAM_BYTES } from './initial.ts';
import { LongHeader, NEGOTIATION, PacketType } from './long-header.ts';
import { QuicConnection } from './quic-connection.ts';
import type { QuicContext } from './quic-context.ts';
import { refusal, versionNegotiation } from './refusal.ts';

/** Shortest connection id a client may choose for the server (RFC 9000 section 7.2). */
const MIN_FIRST_ID_BYTES = 8;
/**
 * Shorter ids can be guessed, so they are followed to another port of the same source only. Someone who sees
 * ids and forges a registered source can divert the origin's datagrams until the client's next one: the origin
 * sees the relay's address and cannot validate the path (RFC 9000 section 9.3.3).
 */
const UNGUESSABLE_ID_BYTES = 8;
const NO_SERVICE_SLOT = 0;
/** Refusals to strangers, whose addresses may be forged: one takes some 100 us. Past the rate they get silence. */
const REFUSALS_PER_SECOND = 200;
const REFUSALS_BURST_MS = 500;

/**
 * Assigns each client datagram: to its connection, to a new one, or to nobody. Datagrams of unregistered
 * sources are dropped silently; on a host that serves names itself an Initial is refused, so that browsers take TCP.
 */
export class QuicReceiver {
  private readonly context: QuicContext;
  private readonly header = new LongHeader();
  /** Token bucket of refusals to strangers (GCRA, ITU-T I.371). */
  private refusalsEmptyAtMs = 0;

  constructor(context: QuicContext) {
    this.context = context;
  }

  handle(datagram: Datagram): void {
    if (datagram.port === 0 || datagram.length === 0) return;
    if (datagram.isLong) this.handleLong(datagram);
    else this.handleShort(datagram);
  }

  private handleShort(datagram: Datagram): void {
    const { table } = this.context;
    const latest = table.at(datagram);
    // Fast path, for nearly every datagram.
    if (latest?.hasCurrentId(datagram) && table.after(latest, datagram) === null) {
      latest.handle(datagram);
      return;
    }
    const named = table.withShortHeader(datagram);
    if (named !== null && this.reaches(named, datagram, table.matchedBytes)) {
      named.learnShortId(datagram);
      named.handle(datagram);
    } else if (latest !== null) {
      latest.learnShortId(datagram);
      latest.handle(datagram);
    }
  }

  private handleLong(datagram: Datagram): void {
    const { bytes, length } = datagram;
    const { table } = this.context;
    const { header } = this;
    if (!header.read(bytes, 0, length) || header.version === NEGOTIATION) return;
    const { destinationStart, destinationEnd, type } = header;
    const named = table.withId(idText(bytes, destinationStart, destinationEnd));
    if (named !== null && this.reaches(named, datagram, destinationEnd - destinationStart))
      named.handle(datagram);
    else if (type === PacketType.INITIAL || type === PacketType.ZERO_RTT) this.begin(datagram);
    else if (type === PacketType.UNKNOWN) this.negotiate(datagram);
    else table.at(datagram)?.handle(datagram);
  }

  /**
   * Returns true if the connection accepts the datagram: from its client's address, or from a new one that it
   * then follows.
   */
  private reaches(connection: ClientConnection, datagram: Datagram, idBytes: number): boolean {
    if (connection.tuple.matches(datagram)) return true;
    if (!connection.isCarrying) return false;
    const { limits } = this.context.relay;
    const source = this.admit(datagram);
    if (source === null) return false;
    const sourceHash = limits.hashOf(source);
    if (sourceHash !== connection.sourceHash) {
      if (idBytes < UNGUESSABLE_ID_BYTES || !limits.enter(sourceHash, this.context.nowMs)) return false;
      limits.leave(connection.sourceHash);
    }
    connection.follow(datagram, source, sourceHash);
    return true;
  }

  /** Handles a client's first datagram: an Initial, or 0-RTT that overtook it. */
  private begin(datagram: Datagram): void {
    const { context, header } = this;
    const { type, version, destinationStart, destinationEnd, sourceStart, sourceEnd } = header;
    const isInitial = type === PacketType.INITIAL;
    if (destinationEnd - destinationStart < MIN_FIRST_ID_BYTES) return;
    if (isInitial && datagram.length < MIN_INITIAL_DATAGRAM_BYTES) return;
    const counted = this.enter(datagram);
    if (counted === null) {
      if (isInitial) this.refuseStranger(datagram);
      return;
    }
    const copy = datagram.copy();
    const destinationId = copy.subarray(destinationStart, destinationEnd);
    const beginning = { ...counted, version, destinationId, sourceId: copy.subarray(sourceStart, sourceEnd) };
    if (context.mode === 'refuse' || context.isDraining || this.isFull) {
      const isMeant = context.mode === 'refuse' || context.isDraining;
      this.leave(counted.sourceHash, isMeant ? RelayOutcome.REFUSED : RelayOutcome.LIMITED);
      if (isInitial) context.pathOf(datagram).send(refusal(beginning));
      return;
    }
    const packets = new HelloPackets(destinationId);
    const state = packets.read(copy);
    if (isInitial && !packets.hasOpened) this.misfit(datagram, counted.sourceHash);
    else new QuicConnection(context, { ...beginning, first: copy, packets, state }, datagram);
  }

  /**
   * Sends a stranger of a host that serves names itself to TCP, where its page is. The name is not read: it may come in the
   * second datagram, and no name is carried for a stranger.
   */
  private refuseStranger(datagram: Datagram): void {
    const { context, header } = this;
    const { nowMs, relay } = context;
    const source = datagram.source();
    if (!relay.hears(source) || relay.admission.admits(source)) return;
    const emptyAtMs = Math.max(this.refusalsEmptyAtMs, nowMs);
    if (emptyAtMs - nowMs > REFUSALS_BURST_MS) return;
    this.refusalsEmptyAtMs = emptyAtMs + 1000 / REFUSALS_PER_SECOND;
    const { version, destinationStart, destinationEnd, sourceStart, sourceEnd } = header;
    const { bytes } = datagram;
    const destinationId = bytes.slice(destinationStart, destinationEnd);
    const sourceId = bytes.slice(sourceStart, sourceEnd);
    context.pathOf(datagram).send(refusal({ version, destinationId, sourceId }));
  }

  /**
   * Handles an Initial that its own id does not decrypt: a later one of a known connection, such as after an
   * unseen Retry, or garbage.
   */
  private misfit(datagram: Datagram, sourceHash: number): void {
    const { relay, table } = this.context;
    const latest = table.at(datagram);
    if (latest === null) this.leave(sourceHash, RelayOutcome.MALFORMED);
    else {
      relay.limits.leave(sourceHash);
      latest.handle(datagram);
    }
  }

  /**
   * Offers the readable versions (RFC 9000 section 6.1), as an unknown version does not reveal its origin.
   */
  private negotiate(datagram: Datagram): void {
    const { context, header } = this;
    const { bytes, length } = datagram;
    const latest = context.table.at(datagram);
    if (latest !== null) latest.handle(datagram);
    else if (length >= MIN_INITIAL_DATAGRAM_BYTES) {
      const counted = this.enter(datagram);
      if (counted === null) return;
      const carries = context.mode === 'carry' && !context.isDraining;
      this.leave(counted.sourceHash, RelayOutcome.REFUSED);
      context.pathOf(datagram).send(versionNegotiation(header, bytes, carries));
    }
  }

  private get isFull(): boolean {
    const { table, held, relay } = this.context;
    return table.all.size >= relay.policy.limits.connections || held.isSpent;
  }

  /** Admits a source and counts it in. */
  private enter(datagram: Datagram): { source: ClientSource; sourceHash: number } | null {
    const { relay, nowMs } = this.context;
    const source = this.admit(datagram);
    if (source === null) {
      relay.counters.ended(NO_SERVICE_SLOT, RelayOutcome.UNREGISTERED);
      return null;
    }
    const sourceHash = relay.limits.hashOf(source);
    if (relay.limits.enter(sourceHash, nowMs)) return { source, sourceHash };
    relay.counters.ended(NO_SERVICE_SLOT, RelayOutcome.LIMITED);
    return null;
  }

  private leave(sourceHash: number, outcome: RelayOutcome): void {
    const { limits, counters } = this.context.relay;
    limits.leave(sourceHash);
    counters.ended(NO_SERVICE_SLOT, outcome);
  }

  private admit(datagram: Datagram): ClientSource | null {
    const source = datagram.source();
    return this.context.relay.admission.admits(source) ? source : null;
  }
}
