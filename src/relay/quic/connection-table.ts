import type { ClientConnection } from './client-tuple.ts';
import type { Datagram } from './datagram.ts';
import { MAX_ID_BYTES } from './long-header.ts';

/**
 * Connection ids per connection; the oldest is dropped. Clients use few at a time (RFC 9000 section 5.1.1).
 */
const MAX_IDS = 8;

/**
 * The thread's connections: by client address, which finds nearly all, and by connection id, for clients whose
 * NAT gave them another port or address. Entries live as long as their connection.
 */
export class ConnectionTable {
  readonly all = new Set<ClientConnection>();
  private readonly byTuple = new Map<number, ClientConnection>();
  private readonly byId = new Map<string, ClientConnection>();
  /** Number of ids of each length: short headers do not state theirs. */
  private readonly lengths = new Int32Array(MAX_ID_BYTES + 1);
  private readonly seed: number;
  /** Length of the id that withShortHeader matched last. */
  matchedBytes = 0;

  /** @param seed secret, so that nobody can choose addresses with colliding hashes */
  constructor(seed: number) {
    this.seed = seed;
  }

  /** Newest connection from the datagram's address. Allocates nothing. */
  at(datagram: Datagram): ClientConnection | null {
    const first = this.byTuple.get(this.hashOf(datagram));
    return first === undefined ? null : matching(first, datagram);
  }

  /** Next older connection from there. */
  after({ tuple }: ClientConnection, datagram: Datagram): ClientConnection | null {
    return tuple.next === null ? null : matching(tuple.next, datagram);
  }

  /** @param id from idText */
  withId(id: string): ClientConnection | null {
    return this.byId.get(id) ?? null;
  }

  /** Finds the connection whose id a short header begins with. */
  withShortHeader(datagram: Datagram): ClientConnection | null {
    for (let length = MAX_ID_BYTES; length > 0; length--) {
      if (this.lengths[length] === 0 || datagram.length <= length) continue;
      const found = this.byId.get(idText(datagram.bytes, 1, 1 + length));
      if (found === undefined) continue;
      this.matchedBytes = length;
      return found;
    }
    return null;
  }

  add(connection: ClientConnection, datagram: Datagram): void {
    this.all.add(connection);
    this.file(connection, datagram);
  }

  /** Refiles a connection under its client's new address. */
  move(connection: ClientConnection, datagram: Datagram): void {
    this.unfile(connection);
    this.file(connection, datagram);
  }

  /** Adds an id, unless another connection has it. */
  addId(connection: ClientConnection, id: string): void {
    const { ids } = connection.tuple;
    if (id.length === 0 || id.length > MAX_ID_BYTES || this.byId.has(id)) return;
    if (ids.length >= MAX_IDS) this.removeId(ids.shift()!);
    ids.push(id);
    this.byId.set(id, connection);
    this.lengths[id.length]++;
  }

  remove(connection: ClientConnection): void {
    this.all.delete(connection);
    this.unfile(connection);
    for (const id of connection.tuple.ids.splice(0)) this.removeId(id);
  }

  private file(connection: ClientConnection, datagram: Datagram): void {
    const { tuple } = connection;
    tuple.set(datagram);
    tuple.hash = this.hashOf(datagram);
    tuple.next = this.byTuple.get(tuple.hash) ?? null;
    this.byTuple.set(tuple.hash, connection);
  }

  private unfile(connection: ClientConnection): void {
    const { tuple } = connection;
    let at = this.byTuple.get(tuple.hash)!;
    if (at === connection) {
      if (tuple.next === null) this.byTuple.delete(tuple.hash);
      else this.byTuple.set(tuple.hash, tuple.next);
    } else {
      while (at.tuple.next !== connection) at = at.tuple.next!;
      at.tuple.next = tuple.next;
    }
    tuple.next = null;
  }

  private removeId(id: string): void {
    this.byId.delete(id);
    this.lengths[id.length]--;
  }

  private hashOf({ words, port, listener, family }: Datagram): number {
    let hash = mix(this.seed ^ words[0]);
    if (family === 6) for (let i = 1; i < 4; i++) hash = mix(hash ^ words[i]);
    return mix(hash ^ (port | (listener << 16))) >>> 1;
  }
}

/** A connection id as a map key. */
export function idText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]);
  return text;
}

function matching(first: ClientConnection, datagram: Datagram): ClientConnection | null {
  for (let at: ClientConnection | null = first; at !== null; at = at.tuple.next) {
    if (at.tuple.matches(datagram)) return at;
  }
  return null;
}

/** Finalizer of MurmurHash3. */
function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
