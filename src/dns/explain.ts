import { NO_LIST } from '../catalog/lookup/index.ts';

import { type Address, formatAddress, sourceFromAddress } from '../net/index.ts';
import { CacheResult } from '../resolver/cache/index.ts';
import {
  answerCount,
  HEADER_BYTES,
  hashSuffixes,
  MAX_QUERY_BYTES,
  Rcode,
  RecordCursor,
  RecordType,
  rcode,
  textFromName,
  writeQuery,
} from '../wire/index.ts';
import { OpenName } from './answer/open-names.ts';
import type { QueryState } from './answer/query-state.ts';
import { SpecialUse } from './answer/special.ts';
import { decide } from './query.ts';
import { TCP_TRAITS } from './tcp/traits.ts';
import { DEFERRED, QueryVerdict } from './verdict.ts';

export interface ExplainedQuestion {
  /** Wire form, in lower case. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly source: Address;
}

/** Names for the numbers in the tables. */
export interface ExplainNames {
  readonly services: readonly string[];
  readonly regions: readonly string[];
  /** By number; null for no group. */
  readonly groups: readonly (string | null)[];
  /** Relays of a region, with their state. */
  relays(region: number): readonly string[];
  /** Choices of a registered address's account. */
  profile(id: number): { region: string; ipv4: boolean; ipv6: boolean };
}

/** One step of a decision, in the order of decide. */
export interface ExplainStep {
  readonly step: 'gate' | 'name' | 'relays' | 'cache' | 'answer';
  readonly finding: string;
}

/** Longer than any reply. */
const MESSAGE_BYTES = 65_536;
const OPEN_NAMES: Readonly<Record<number, string>> = {
  [OpenName.BOOTSTRAP]: 'a bootstrap name, resolved for everyone',
  [OpenName.REACHED]: "the self-test's: the control's address, for everyone",
  [OpenName.REGISTERED]: "the self-test's: the control's address, for the registered",
  [OpenName.RELAYED]: "the self-test's: the relays of the account's region, for the registered",
  [OpenName.CHALLENGE]: 'proof of a name for an ACME CA, for everyone',
  [OpenName.NODE]: "the self-test's zone: nothing of its own",
  [OpenName.OTHER]: "in the self-test's zone, and unknown there",
};
const SPECIAL_USES: Readonly<Record<number, string>> = {
  [SpecialUse.NAME_ERROR]: 'a special-use name: there is none, and nobody is asked',
  [SpecialUse.LOOPBACK]: 'a special-use name: the machine itself',
  [SpecialUse.NAME_ERROR_BUT_DS]: 'a special-use name: there is none but for DS',
  [SpecialUse.DISCOVERY]: 'the name by which our DNS over TLS and HTTPS is discovered',
};

/**
 * Explains what a source would be answered to a question, and why. Decides as over TCP, which has no limits on rate
 * and size; asks no upstream.
 * @param state of its own, with the time set: it has its own counters and budgets
 */
export function explain(
  state: QueryState,
  question: ExplainedQuestion,
  names: ExplainNames,
): readonly ExplainStep[] {
  const message = new Uint8Array(MESSAGE_BYTES + MAX_QUERY_BYTES);
  const length = writeQuery(message, {
    id: 0,
    name: question.name,
    nameLength: question.name.length,
    type: question.type,
    qclass: 1,
    checkingDisabled: false,
    udpSize: 1232,
    dnssecOk: false,
  });
  const source = sourceFromAddress(question.source);
  state.source.family = source.family;
  state.source.words.set(source.words);
  state.read(message, length);
  hashSuffixes(state.question.name, state.seed, state.question.hashes);
  const name = explainName(state, names);
  const cache = explainCache(state);
  const outcome = decide(state, message, length, TCP_TRAITS);
  const reply = message.subarray(0, state.replyLength);
  return [
    { step: 'gate', finding: explainGate(state, question.source, names) },
    { step: 'name', finding: explainRegion(state, name, names) },
    ...explainRelays(state, name, names),
    ...(outcome === DEFERRED || outcome === QueryVerdict.CACHED
      ? [{ step: 'cache' as const, finding: cache }]
      : []),
    { step: 'answer', finding: outcome === DEFERRED ? 'what the upstreams answer' : answerOf(reply, length) },
  ];
}

function explainGate(state: QueryState, source: Address, names: ExplainNames): string {
  const text = formatAddress(source);
  if (state.profile === 0) {
    const consequence = state.dropsUnregistered ? 'no reply' : 'REFUSED (EDE 18)';
    return `${text} is not registered, or its account is suspended: ${consequence}, but for bootstrap names and the self-test's`;
  }
  const { region, ipv4, ipv6 } = names.profile(state.profile);
  const families = [ipv4 ? 'IPv4' : '', ipv6 ? 'IPv6' : ''].filter(Boolean).join(' and ');
  return `${text} is registered: region ${region}, by ${families || 'neither family'}`;
}

interface NameFinding {
  readonly text: string;
  /** Index in the catalog; -1 for other names. */
  readonly service: number;
}

function explainName(state: QueryState, names: ExplainNames): NameFinding {
  const { question, openNames, catalog, specialNames } = state;
  const open = openNames.isAny ? openNames.match(question) : OpenName.NONE;
  if (open > OpenName.BOOTSTRAP) return { text: OPEN_NAMES[open], service: -1 };
  const service = catalog.match(question);
  if (service >= 0) {
    const { bytes, labelOffsets, length } = question.name;
    const matched = textFromName(bytes.slice(labelOffsets[catalog.matchedLabel], length));
    return { text: `in the catalog: service ${names.services[service]}, by ${matched}`, service };
  }
  if (open === OpenName.BOOTSTRAP) return { text: OPEN_NAMES[open], service: -1 };
  const special = specialNames.match(question);
  return { text: SPECIAL_USES[special] ?? 'in no list: resolved as usual', service: -1 };
}

/** Adds the region, which belongs to the account and so is known only for registered sources. */
function explainRegion(state: QueryState, { text, service }: NameFinding, names: ExplainNames): string {
  if (service < 0 || state.profile === 0) return text;
  const region = state.catalog.region(state.profile, service);
  if (region < 0) return `${text}; resolved as usual: off, or no region has it`;
  const { type } = state.question;
  const group = names.groups[state.catalog.matchedGroup];
  const where = `${text}; taken from ${names.regions[region]}${group === null ? '' : `, group ${group}`}`;
  if (state.catalog.list(state.profile, service) === NO_LIST)
    return `${where}; resolved as usual: none of its relays is to be given`;
  const isOther = type !== RecordType.A && type !== RecordType.AAAA;
  if (isOther) return `${where}, A and AAAA by relays, HTTPS and SVCB hidden`;
  const allowed =
    type === RecordType.A ? state.catalog.allowsIPv4(state.profile) : state.catalog.allowsIPv6(state.profile);
  const family = type === RecordType.A ? 'IPv4' : 'IPv6';
  const hindrance = allowed ? '' : `; no address, as the account has registered none of ${family}`;
  return `${where}${hindrance}`;
}

/** State of the relays that the answer was chosen from. */
function explainRelays(state: QueryState, { service }: NameFinding, names: ExplainNames): ExplainStep[] {
  const region = service < 0 || state.profile === 0 ? -1 : state.catalog.region(state.profile, service);
  return region < 0 ? [] : [{ step: 'relays', finding: names.relays(region).join('; ') }];
}

function explainCache(state: QueryState): string {
  const { cache, question, nowSeconds } = state;
  const found = cache.find(question, false, false, nowSeconds);
  if (found === CacheResult.MISS) return 'not in the cache: the upstreams are asked';
  if (found === CacheResult.STALE)
    return 'in the cache, past its time: the upstreams are asked, it stands in for them';
  return `in the cache, for ${cache.ttlSeconds} s more`;
}

function answerOf(reply: Uint8Array, questionEnd: number): string {
  if (reply.length === 0) return 'none is sent';
  const code = Object.entries(Rcode).find(([, value]) => value === rcode(reply))?.[0] ?? String(rcode(reply));
  const records: string[] = [];
  const cursor = new RecordCursor();
  cursor.begin(reply, reply.length, Math.min(endOfQuestion(reply), questionEnd));
  for (let i = answerCount(reply); i > 0 && cursor.next(); i--) {
    const rdata = reply.slice(cursor.rdataOffset, cursor.rdataOffset + cursor.rdataLength);
    const isAddress = cursor.type === RecordType.A || cursor.type === RecordType.AAAA;
    const family = cursor.type === RecordType.A ? 4 : 6;
    const data = isAddress ? formatAddress({ family, bytes: rdata }) : `${rdata.length} bytes`;
    records.push(`${typeName(cursor.type)} ${data} (TTL ${cursor.ttl})`);
  }
  return records.length === 0 ? `${code}, without records` : `${code}: ${records.join(', ')}`;
}

function endOfQuestion(reply: Uint8Array): number {
  let at = HEADER_BYTES;
  while (at < reply.length && reply[at] !== 0) at += 1 + reply[at];
  return at + 5;
}

function typeName(type: number): string {
  return Object.entries(RecordType).find(([, value]) => value === type)?.[0] ?? `TYPE${type}`;
}
