import { describe, expect, it } from 'vitest';
import { FrameType } from '../../../src/dns/https/http2/frame.ts';
import { type Claim, ClaimOutcome, type PrivateNames } from '../../../src/dns/private-names/index.ts';
import { until } from '../../support/until.ts';
import { data, END_HEADERS, frame, framesOf, get, PREFACE, request, told } from './http2-client.ts';
import { FILMS, pathOf, Stage } from './support.ts';

const STRANGER = '203.0.113.200';
const TOKEN = 'abcdefghijklmnopqrstuv2345';
const OTHER = 'zyxwvutsrqponmlkjihgfe2345';
const QUERY = pathOf(FILMS).split('?')[1];
const path = (token: string) => `/dns-query/${token}?${QUERY}`;

/** Private names whose claims wait until a test decides. */
class HeldNames implements PrivateNames {
  readonly domain = 'dns.example';
  readonly claims: Claim[] = [];
  private readonly waiting: ((outcome: ClaimOutcome) => void)[] = [];

  claim(claim: Claim): Promise<ClaimOutcome> {
    this.claims.push(claim);
    return new Promise((resolve) => void this.waiting.push(resolve));
  }

  decide(outcome: ClaimOutcome): void {
    for (const resolve of this.waiting.splice(0)) resolve(outcome);
  }
}

function opened(version: 'http/1.1' | 'h2'): { stage: Stage; names: HeldNames } {
  const names = new HeldNames();
  return { stage: new Stage(version, { source: STRANGER, privateNames: names }), names };
}

const line = (token: string | null) =>
  Buffer.from(`GET ${token === null ? pathOf(FILMS) : path(token)} HTTP/1.1\r\nHost: dns.example\r\n\r\n`);
const statusOf = (stage: Stage) => /^HTTP\/1\.1 (\d+)/.exec(stage.channel.taken().toString('latin1'))?.[1];
const framesSeen = (stage: Stage) => told(framesOf(stage.channel.taken()));

describe('HTTP/2', () => {
  it('holds all queries of a stranger until the name is known, and answers them', async () => {
    const { stage, names } = opened('h2');
    stage.send(Buffer.concat([PREFACE, get(1, path(TOKEN)), get(3, path(TOKEN))]));
    expect(framesSeen(stage)).toEqual([]);
    expect(names.claims).toMatchObject([{ token: TOKEN, isRegistered: false }]);
    stage.edge.register(STRANGER);
    names.decide(ClaimOutcome.REGISTERED);
    await until(() => stage.channel.writes.length > 0, 'it is answered');
    expect(framesSeen(stage).filter((one) => !one.includes('DATA'))).toEqual(['1 200', '3 200']);
    stage.send(get(5, path(TOKEN)));
    expect(framesSeen(stage)[0]).toBe('5 200');
    expect(names.claims).toHaveLength(1);
  });

  it('refuses all of them, waiting for a body or not, and says goodbye, if the name is dead', async () => {
    const { stage, names } = opened('h2');
    const post = frame(
      FrameType.HEADERS,
      END_HEADERS,
      5,
      request(`/dns-query/${TOKEN}`, ['content-type', 'application/dns-message']),
    );
    stage.send(Buffer.concat([PREFACE, get(1, path(TOKEN)), get(3, path(TOKEN)), post]));
    framesSeen(stage);
    names.decide(ClaimOutcome.DEAD);
    await until(() => stage.channel.isEnded, 'it is closed');
    const seen = framesSeen(stage);
    expect(seen.filter((one) => one.includes('403'))).toHaveLength(2);
    expect(seen.at(-1)).toMatch(/^GOAWAY/);
    stage.send(data(5, FILMS));
    expect(framesSeen(stage)).toEqual([]);
  });

  it('refuses another name, and the bare path, on one connection', () => {
    for (const second of [path(OTHER), pathOf(FILMS), '/']) {
      const { stage } = opened('h2');
      stage.send(Buffer.concat([PREFACE, get(1, path(TOKEN)), get(3, second)]));
      expect(framesSeen(stage), second).toEqual(['3 403 end', 'GOAWAY 3 NO_ERROR']);
    }
  });
});

describe('HTTP/1.1', () => {
  it.each([
    ['a registered source', ClaimOutcome.REGISTERED, '200'],
    ['a guest', ClaimOutcome.LIVE, '200'],
    ['a dead name', ClaimOutcome.DEAD, '403'],
    ['a name that could not be looked up', ClaimOutcome.BUSY, '403'],
  ])('answers %s', async (_title, outcome, status) => {
    const { stage, names } = opened('http/1.1');
    stage.send(line(TOKEN));
    expect(statusOf(stage)).toBeUndefined();
    if (outcome === ClaimOutcome.REGISTERED) stage.edge.register(STRANGER);
    names.decide(outcome);
    await until(() => stage.channel.writes.length > 0 || stage.waitingCount > 0, 'it is decided');
    await stage.release();
    expect(statusOf(stage)).toBe(status);
    expect(stage.channel.isEnded).toBe(status === '403');
  });

  it('refuses a stranger without a name at once, and closes', () => {
    const { stage, names } = opened('http/1.1');
    stage.send(line(null));
    expect([statusOf(stage), stage.channel.isEnded, names.claims.length]).toEqual(['403', true, 0]);
  });

  it('sends nothing to a connection that closed while its name was looked up', async () => {
    const { stage, names } = opened('http/1.1');
    stage.send(line(TOKEN));
    stage.channel.destroy();
    names.decide(ClaimOutcome.DEAD);
    await Promise.resolve();
    expect(stage.channel.writes).toEqual([]);
  });
});

it('reports the name of a registered source once a connection, and answers at once', () => {
  const names = new HeldNames();
  const home = new Stage('http/1.1', { privateNames: names });
  home.send(Buffer.concat([line(TOKEN), line(TOKEN), line(null)]));
  expect(
    home.channel
      .taken()
      .toString('latin1')
      .match(/HTTP\/1\.1 200/g),
  ).toHaveLength(3);
  expect(names.claims).toMatchObject([{ token: TOKEN, isRegistered: true }]);
});
