import { randomFillSync } from 'node:crypto';
import * as dnsPacket from 'dns-packet';
import { afterAll } from 'vitest';
import {
  type DatagramPools,
  EntryReader,
  hasSystemDatagrams,
  parseUpstream,
  type Resolved,
  type ResolveRequest,
  Resolver,
  type ResolverOptions,
  SystemDatagrams,
} from '../../src/resolver/index.ts';
import { HEADER_BYTES, nameFromText, RecordType } from '../../src/wire/index.ts';

let system: SystemDatagrams | undefined;
afterAll(() => system?.close());

/** Sockets as the service uses them, with one thread for all resolvers of a test file. */
export const SYSTEM_DATAGRAMS: DatagramPools = {
  createPool(remote, random, now) {
    system ??= new SystemDatagrams((error) => {
      throw error;
    });
    return system.createPool(remote, random, now);
  },
  close: async () => {},
};

/** A try without reply costs 200 ms: long enough for a busy machine, short enough for a test. */
export const STEADY = { tryMs: 400, minTryMs: 150, overallMs: 1200, asideMinMs: 50, asideMaxMs: 400 };
/** For tests in which nothing answers. */
export const QUICK = { ...STEADY, tryMs: 60, minTryMs: 40, overallMs: 180 };

export function request(name: string, fields: Partial<ResolveRequest> = {}): ResolveRequest {
  const bytes = nameFromText(name);
  if (bytes === null) throw new Error(`not a name: ${name}`);
  return {
    name: bytes,
    nameLength: bytes.length,
    type: RecordType.A,
    qclass: 1,
    dnssecOk: false,
    checkingDisabled: false,
    ...fields,
  };
}

/** Records what is stored, in order. */
export class RecordingStore {
  readonly entries: Uint8Array[] = [];
  store(entry: Uint8Array): void {
    this.entries.push(entry);
  }
}

export function resolverFor(urls: readonly string[], options: Partial<ResolverOptions> = {}): Resolver {
  return new Resolver({
    upstreams: urls.map(parseUpstream),
    cache: new RecordingStore(),
    now: () => performance.now(),
    fillRandom: randomFillSync,
    nameSeed: 7,
    timeouts: STEADY,
    ...(hasSystemDatagrams() && { datagrams: SYSTEM_DATAGRAMS }),
    ...options,
  });
}

/** Data of the answer's records; `rcode N` for failures and answers without records. */
export function shown(resolved: Resolved, asked: ResolveRequest): string[] {
  if (resolved.entry === null) return [`rcode ${resolved.rcode}`];
  const reply = decodeEntry(resolved.entry, asked);
  const data = reply.answers?.map((record) => String((record as { data: unknown }).data)) ?? [];
  return data.length > 0 ? data : [`rcode ${(reply as unknown as { flags: number }).flags & 0xf}`];
}

/** Decodes an entry as the reply that a client would get. */
function decodeEntry(entry: Uint8Array, asked: ResolveRequest): dnsPacket.DecodedPacket {
  const reader = new EntryReader(entry, 0);
  const message = Buffer.alloc(65_535);
  message[2] = 0x80;
  message[3] = reader.rcode;
  message.set(asked.name.subarray(0, asked.nameLength), HEADER_BYTES);
  const end = HEADER_BYTES + asked.nameLength;
  message.writeUInt16BE(asked.type, end);
  message.writeUInt16BE(asked.qclass, end + 2);
  message.writeUInt16BE(1, 4);
  const length = reader.render(message, end + 4, message.length, 0);
  message.writeUInt16BE(reader.answerCount, 6);
  message.writeUInt16BE(reader.authorityCount, 8);
  return dnsPacket.decode(message.subarray(0, length));
}

/** Waits until `done` is true; the test's time limit ends it otherwise. */
export async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A request for each name of the form `PREFIXn.example`. */
export function requests(prefix: string, count: number): ResolveRequest[] {
  return Array.from({ length: count }, (_, index) => request(`${prefix}${index}.example`));
}
