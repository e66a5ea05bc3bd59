import {
  findServerName,
  HANDSHAKE_HEADER_BYTES,
  HelloState,
  helloLength,
  MAX_HELLO_BYTES,
  type ServerName,
} from './server-name.ts';

/** ContentType, legacy_record_version, length (RFC 8446, 5.1). */
const RECORD_HEADER_BYTES = 5;
const HANDSHAKE = 22;
const TLS_MAJOR_VERSION = 3;
const MAX_FRAGMENT_BYTES = 16_384;

/** Longest prelude: a ClientHello of the maximum length, split into many records. */
export const MAX_PRELUDE_BYTES = MAX_HELLO_BYTES + 4096;

/**
 * Finds the server name in the first bytes of a TLS connection, whatever the segment and record boundaries. The
 * bytes remain the caller's, who replays them to the origin.
 */
export class ClientHelloReader {
  /** Position of the name in `bytes`; valid once `read` returned NAMED. */
  readonly name: ServerName = { start: 0, end: 0 };
  /** Bytes that `name` refers to: the prelude, or a copy if the hello spans several records. */
  bytes: Uint8Array = NOTHING;
  private state: HelloState = HelloState.PARTIAL;
  /** Offset behind the last complete record. */
  private at = 0;
  /** Bytes of the hello in the records read so far. */
  private found = 0;
  /** Length of the hello by its header; 0 while unknown. */
  private expected = 0;
  /** Start and end of each record's fragment, alternating. */
  private readonly fragments: number[] = [];

  /** Forgets everything, to read another hello. */
  reset(): this {
    this.bytes = NOTHING;
    this.state = HelloState.PARTIAL;
    this.at = 0;
    this.found = 0;
    this.expected = 0;
    this.fragments.length = 0;
    return this;
  }

  /** Parses prelude[0, length), which extends what the previous call saw. */
  read(prelude: Uint8Array, length: number): HelloState {
    if (this.state !== HelloState.PARTIAL) return this.state;
    while (this.state === HelloState.PARTIAL && this.readRecord(prelude, length)) this.parse(prelude);
    if (this.state === HelloState.PARTIAL && length >= MAX_PRELUDE_BYTES) this.state = HelloState.TOO_LONG;
    return this.state;
  }

  /** Reads the next record if it is complete. Rejects an incomplete first one as early as possible. */
  private readRecord(prelude: Uint8Array, length: number): boolean {
    const { at } = this;
    if (length > at && prelude[at] !== HANDSHAKE) return this.fail();
    if (length > at + 1 && prelude[at + 1] !== TLS_MAJOR_VERSION) return this.fail();
    if (length < at + RECORD_HEADER_BYTES) return false;
    const fragment = (prelude[at + 3] << 8) | prelude[at + 4];
    if (fragment === 0 || fragment > MAX_FRAGMENT_BYTES) return this.fail();
    const start = at + RECORD_HEADER_BYTES;
    if (length < start + fragment) return this.glance(prelude, start, length);
    this.fragments.push(start, start + fragment);
    this.found += fragment;
    this.at = start + fragment;
    return true;
  }

  /** Rejects an incomplete first record that holds another message or announces 16 MiB. */
  private glance(prelude: Uint8Array, start: number, length: number): boolean {
    if (this.fragments.length > 0) return false;
    const hello = helloLength(prelude, start, length);
    if (hello < 0) this.state = -hello as HelloState;
    return false;
  }

  private parse(prelude: Uint8Array): void {
    const { fragments, found } = this;
    const whole = fragments.length === 2;
    if (this.expected === 0) {
      const header = whole ? prelude : this.joined(prelude, HANDSHAKE_HEADER_BYTES);
      const start = whole ? fragments[0] : 0;
      const length = helloLength(header, start, start + Math.min(found, HANDSHAKE_HEADER_BYTES));
      if (length < 0) this.state = -length as HelloState;
      if (length <= 0) return;
      this.expected = length;
    }
    if (found < this.expected) return;
    // Nothing may follow the hello before the server has answered.
    if (found > this.expected) {
      this.state = HelloState.MALFORMED;
      return;
    }
    this.bytes = whole ? prelude : this.joined(prelude, found);
    const start = whole ? fragments[0] : 0;
    this.state = findServerName(this.bytes, start, start + found, this.name);
  }

  /** Copies the first `limit` bytes of the fragments. */
  private joined(prelude: Uint8Array, limit: number): Uint8Array {
    const { fragments } = this;
    const out = new Uint8Array(limit);
    let used = 0;
    for (let i = 0; i < fragments.length && used < limit; i += 2) {
      const part = prelude.subarray(fragments[i], Math.min(fragments[i + 1], fragments[i] + limit - used));
      out.set(part, used);
      used += part.length;
    }
    return out;
  }

  private fail(): false {
    this.state = HelloState.MALFORMED;
    return false;
  }
}

const NOTHING = new Uint8Array(0);
