import type { ClientConnection } from './client-tuple.ts';
import type { Datagram } from './datagram.ts';
import { MAX_ID_BYTES } from './long-header.ts';

/** Ids that one connection is found by; the oldest gives way. Clients use few at a time (RFC 9000, 5.1.1). */
const MAX_IDS = 8;

/**
 * The connections of a thread: by where their client is, which finds nearly all, and by connection ids, which find
 * those whose client's NAT has given it another port or address. Nothing here stays longer than its connection.
 */
export class ConnectionTable {
  readonly all = new Set<ClientConnection>();
  private readonly byTuple = new Map<number, ClientConnection>();
  private readonly byId = new Map<string, ClientConnection>();
  /** How many ids there are of each length: short headers do not tell theirs. */
  private readonly lengths = new Int32Array(MAX_ID_BYTES + 1);
  private readonly seed: number;
  /** Bytes of the id that withShortHeader found last. */
  matchedBytes = 0;

  /** @param seed secret, so that nobody can choose addresses that are filed together */
  constructor(seed: number) {
    this.seed = seed;
  }

  /** The latest connection from where the datagram came from. Allocates nothing. */
  at(datagram: Datagram): ClientConnection | null {
    const first = this.byTuple.get(this.hashOf(datagram));
    return first === undefined ? null : matching(first, datagram);
  }

  /** The next older one from there. */
  after({ tuple }: ClientConnection, datagram: Datagram): ClientConnection | null {
    return tuple.next === null ? null : matching(tuple.next, datagram);
  }

  /** @param id as idText gives it */
  withId(id: string): ClientConnection | null {
    return this.byId.get(id) ?? null;
  }

  /** The connection whose id a short header begins with. */
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

  /** Its client has come from elsewhere. */
  move(connection: ClientConnection, datagram: Datagram): void {
    this.unfile(connection);
    this.file(connection, datagram);
  }

  /** Finds the connection by `id` from now on, unless another one has it. */
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

/** A connection id as a map's key. */
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

/** MurmurHash3's finaliser. */
function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
