import { type Address, parseAddress } from '../net/index.ts';
import {
  HEADER_BYTES,
  NameScratch,
  nameFromText,
  Rcode,
  RecordClass,
  RecordCursor,
  RecordType,
  readName,
  textFromName,
  writeQuery,
} from '../wire/index.ts';
import { EntryReader } from './cache/index.ts';
import type { Resolver } from './resolver.ts';

/** Addresses of a host name. */
export interface HostAddresses {
  addresses: Address[];
  /** Families that were resolved; the upstreams failed for the others. */
  families: (4 | 6)[];
  /** The least TTL of the records; 0 if nothing was resolved. */
  ttlSeconds: number;
}

/** Aliases followed in a row. */
const MAX_ALIASES = 8;
const MAX_MESSAGE_BYTES = 65_535;

/**
 * Asks the upstreams for all A and AAAA records of a host, whatever the cache holds. Follows aliases (RFC
 * 1034 3.6.2), because an upstream may reply with the first alone.
 *
 * @param name presentation form, without a root dot
 * @param signal no further questions are asked once it is aborted
 */
export async function lookUpHost(
  resolver: Pick<Resolver, 'resolve'>,
  name: string,
  signal?: AbortSignal,
): Promise<HostAddresses> {
  const [four, six] = await Promise.all([
    lookUpFamily(resolver, name, RecordType.A, signal),
    lookUpFamily(resolver, name, RecordType.AAAA, signal),
  ]);
  const found: HostAddresses = { addresses: [], families: [], ttlSeconds: 0 };
  const ttls: number[] = [];
  for (const [family, answer] of [[4, four] as const, [6, six] as const]) {
    if (answer === null) continue;
    found.families.push(family);
    found.addresses.push(...answer.addresses);
    ttls.push(answer.ttlSeconds);
  }
  if (ttls.length > 0) found.ttlSeconds = Math.min(...ttls);
  return found;
}

interface FamilyAnswer {
  addresses: Address[];
  ttlSeconds: number;
}

async function lookUpFamily(
  resolver: Pick<Resolver, 'resolve'>,
  name: string,
  type: number,
  signal: AbortSignal | undefined,
): Promise<FamilyAnswer | null> {
  let owner = name.toLowerCase();
  let ttlSeconds = Number.POSITIVE_INFINITY;
  for (let questions = 0; questions < MAX_ALIASES; questions++) {
    const bytes = nameFromText(owner);
    if (bytes === null || signal?.aborted === true) return null;
    const resolved = await resolver.resolve({
      name: bytes,
      nameLength: bytes.length,
      type,
      qclass: RecordClass.IN,
      dnssecOk: false,
      checkingDisabled: false,
    });
    if (resolved.entry === null) return null;
    const reply = readReply(resolved.entry, bytes, type);
    if (reply.rcode !== Rcode.NOERROR && reply.rcode !== Rcode.NXDOMAIN) return null;
    ttlSeconds = Math.min(ttlSeconds, reply.ttlSeconds);
    const end = followAliases(owner, reply);
    if (end.addresses.length > 0 || end.owner === owner) return { addresses: end.addresses, ttlSeconds };
    owner = end.owner;
  }
  return null;
}

interface Reply {
  rcode: number;
  ttlSeconds: number;
  aliases: Map<string, string>;
  addresses: Map<string, Address[]>;
}

function followAliases(start: string, reply: Reply): { owner: string; addresses: Address[] } {
  let owner = start;
  for (let steps = 0; steps < MAX_ALIASES; steps++) {
    const target = reply.aliases.get(owner);
    if (target === undefined) break;
    owner = target;
  }
  return { owner, addresses: reply.addresses.get(owner) ?? [] };
}

function readReply(entry: Uint8Array, name: Uint8Array, type: number): Reply {
  const m = new Uint8Array(MAX_MESSAGE_BYTES);
  const view = new EntryReader(entry, 0);
  const start = writeQuery(m, {
    id: 0,
    name,
    nameLength: name.length,
    type,
    qclass: RecordClass.IN,
    checkingDisabled: false,
    udpSize: null,
    dnssecOk: false,
  });
  const end = view.render(m, start, m.length, view.storedSeconds);
  const reply: Reply = {
    rcode: view.rcode,
    ttlSeconds: view.originalTtlSeconds,
    aliases: new Map(),
    addresses: new Map(),
  };
  const cursor = new RecordCursor();
  cursor.begin(m, end, start);
  for (let index = 0; index < view.answerCount && cursor.next(); index++) {
    const owner = nameAt(m, end, cursor.ownerOffset);
    if (cursor.type === RecordType.CNAME) reply.aliases.set(owner, nameAt(m, end, cursor.rdataOffset));
    else if (cursor.type === type) {
      const data = m.slice(cursor.rdataOffset, cursor.end);
      const address = addressOf(data);
      if (address !== null) reply.addresses.set(owner, [...(reply.addresses.get(owner) ?? []), address]);
    }
  }
  return reply;
}

function nameAt(m: Uint8Array, length: number, offset: number): string {
  const scratch = new NameScratch();
  if (offset < HEADER_BYTES || readName(m, length, offset, scratch) < 0) return '';
  return textFromName(scratch.bytes.slice(0, scratch.length)).replace(/\.$/, '');
}

/** An IPv4-mapped IPv6 address becomes IPv4, as in net/. */
function addressOf(data: Uint8Array): Address | null {
  if (data.length === 4) return parseAddress(data.join('.'));
  if (data.length !== 16) return null;
  const words = Array.from({ length: 8 }, (_, index) =>
    ((data[2 * index]! << 8) | data[2 * index + 1]!).toString(16),
  );
  return parseAddress(words.join(':'));
}
