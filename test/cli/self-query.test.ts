import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SelfQuery } from '../../src/cli/serve/observe/self-query.ts';
import { formatAddress, parseAddress, type SocketAddress } from '../../src/net/index.ts';

const LISTENER: SocketAddress = { address: parseAddress('0.0.0.0')!, port: 53 };

describe('readiness of the own listeners', () => {
  let replies: number;
  let obstacle: string | null;
  let asked: string[];
  /** Called once a query. @returns true if the edge replies */
  let answer: () => boolean;
  let self: SelfQuery;

  /** Asks for the readiness, and waits until the queries that follow from it have ended. */
  const look = async (): Promise<{ ready: boolean; state: string }> => {
    const { ready, state } = self.readiness();
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    return { ready, state };
  };

  beforeEach(() => {
    replies = 0;
    obstacle = null;
    asked = [];
    answer = () => true;
    self = new SelfQuery({
      listeners: () => [LISTENER],
      obstacle: () => obstacle,
      replies: () => replies,
      ask: ({ address }) => {
        asked.push(formatAddress(address));
        const isAnswered = answer();
        if (isAnswered) replies++;
        return Promise.resolve(isAnswered);
      },
    });
  });
  afterEach(() => self.close());

  test('asks a listener on the wildcard address at loopback', async () => {
    expect(await look()).toEqual({ ready: true, state: 'unknown' });
    expect(asked).toEqual(['127.0.0.1']);
    expect(await look()).toEqual({ ready: true, state: 'answered' });
  });

  test('ends when three queries in a row are lost, and returns with a reply', async () => {
    await look();
    answer = () => false;
    expect(await look()).toEqual({ ready: true, state: 'answered' });
    expect(asked).toHaveLength(4);
    expect(await look()).toEqual({ ready: false, state: 'no_answer' });
    answer = () => true;
    await look();
    expect(await look()).toEqual({ ready: true, state: 'answered' });
  });

  test('holds while an overloaded edge loses the queries but replies to others', async () => {
    await look();
    answer = () => {
      replies += 10;
      return false;
    };
    for (let i = 0; i < 10; i++) await look();
    expect(await look()).toEqual({ ready: true, state: 'answered' });
  });

  test('holds where a firewall lets no query through from the start on', async () => {
    answer = () => false;
    for (let i = 0; i < 10; i++) await look();
    expect(await look()).toEqual({ ready: true, state: 'unknown' });
  });

  test('asks nothing where no reply is to be expected', async () => {
    await look();
    answer = () => false;
    obstacle = 'dns.unregistered is drop';
    for (let i = 0; i < 10; i++) expect(await look()).toEqual({ ready: true, state: 'not_asked' });
    expect(asked).toHaveLength(1);
  });
});
