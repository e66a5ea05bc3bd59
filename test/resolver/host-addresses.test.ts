import * as dnsPacket from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { formatAddress } from '../../src/net/index.ts';
import { buildEntry, lookUpHost, type Resolved, type ResolveRequest } from '../../src/resolver/index.ts';
import { ExtendedError, parseQuestion, Question, RecordType, textFromName } from '../../src/wire/index.ts';

type Records = dnsPacket.Answer[];
const SERVFAIL: Resolved = { entry: null, rcode: 2, extendedError: ExtendedError.NONE };

/** Upstreams that know these answers, by `name type`; null: they fail. */
class Zone {
  readonly asked: string[] = [];
  private readonly answers: Record<string, Records | null>;

  constructor(answers: Record<string, Records | null>) {
    this.answers = answers;
  }

  async resolve({ name, nameLength, type }: ResolveRequest): Promise<Resolved> {
    const text = textFromName(name.slice(0, nameLength)).replace(/\.$/, '');
    const typeName = type === RecordType.A ? 'A' : 'AAAA';
    const key = `${text} ${typeName}`;
    this.asked.push(key);
    const answers = this.answers[key];
    if (answers === null) return SERVFAIL;
    const reply = dnsPacket.encode({
      type: 'response',
      flags: 0x80 | (answers === undefined ? 3 : 0),
      questions: [{ name: text, type: typeName }],
      answers: answers ?? [],
    });
    const question = new Question();
    parseQuestion(reply, reply.length, 7, question);
    const built = buildEntry(
      { question, dnssecOk: false, checkingDisabled: false },
      reply,
      reply.length,
      5000,
    )!;
    return { entry: built.entry, rcode: 0, extendedError: ExtendedError.NONE } as unknown as Resolved;
  }
}

const a = (name: string, data: string, ttl = 300): dnsPacket.Answer => ({ type: 'A', name, ttl, data });
const aaaa = (name: string, data: string, ttl = 300): dnsPacket.Answer => ({ type: 'AAAA', name, ttl, data });
const cname = (name: string, data: string, ttl = 300): dnsPacket.Answer => ({
  type: 'CNAME',
  name,
  ttl,
  data,
});

async function look(zone: Zone, name = 'home.example') {
  const { addresses, families, ttlSeconds } = await lookUpHost(zone, name);
  return { addresses: addresses.map(formatAddress), families, ttlSeconds };
}

describe('the addresses of a host', () => {
  it('are all its A and AAAA records, with the least of their TTLs', async () => {
    const zone = new Zone({
      'home.example A': [a('home.example', '198.51.100.1'), a('home.example', '198.51.100.2')],
      'home.example AAAA': [aaaa('home.example', '2001:db8::1', 60)],
    });
    expect(await look(zone)).toEqual({
      addresses: ['198.51.100.1', '198.51.100.2', '2001:db8::1'],
      families: [4, 6],
      ttlSeconds: 60,
    });
  });

  it('are found behind aliases, whether the upstream includes them or not', async () => {
    const zone = new Zone({
      'home.example A': [
        cname('home.example', 'a.example', 20),
        cname('a.example', 'b.example'),
        a('b.example', '198.51.100.1'),
      ],
      'home.example AAAA': [cname('home.example', 'A.example')],
      'a.example AAAA': [cname('a.example', 'b.example')],
      'b.example AAAA': [aaaa('b.example', '2001:db8::1')],
    });
    expect(await look(zone, 'Home.Example')).toEqual({
      addresses: ['198.51.100.1', '2001:db8::1'],
      families: [4, 6],
      ttlSeconds: 20,
    });
    expect(zone.asked.filter((key) => key.endsWith('AAAA'))).toEqual([
      'home.example AAAA',
      'a.example AAAA',
      'b.example AAAA',
    ]);
  });

  it('are unknown in a family whose servers fail', async () => {
    const zone = new Zone({
      'home.example A': [a('home.example', '198.51.100.1')],
      'home.example AAAA': null,
    });
    expect(await look(zone)).toMatchObject({ addresses: ['198.51.100.1'], families: [4] });
    expect(await look(new Zone({ 'home.example A': null, 'home.example AAAA': null }))).toEqual({
      addresses: [],
      families: [],
      ttlSeconds: 0,
    });
  });

  it('are none if the name does not exist, or has no record', async () => {
    expect(await look(new Zone({}))).toMatchObject({ addresses: [], families: [4, 6] });
    const empty = new Zone({ 'home.example A': [], 'home.example AAAA': [] });
    expect(await look(empty)).toMatchObject({ addresses: [], families: [4, 6] });
  });

  it('are not chased endlessly', async () => {
    const circle = new Zone({
      'home.example A': [cname('home.example', 'away.example')],
      'away.example A': [cname('away.example', 'home.example')],
      'home.example AAAA': [],
    });
    expect((await look(circle)).families).toEqual([6]);
    expect(circle.asked.length).toBeLessThan(12);
  });
});
