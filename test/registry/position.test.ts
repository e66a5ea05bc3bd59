import { describe, expect, it } from 'vitest';
import {
  checkPosition,
  epochTime,
  makeEpoch,
  type Position,
  type StoreHead,
} from '../../src/registry/store/position.ts';

const OLD = makeEpoch(1_000, 'old');
const NOW = makeEpoch(2_000, 'now');
const LATER = makeEpoch(3_000, 'later');
const FORMAT = 1;
const HEAD: StoreHead = {
  leastFormat: 1,
  epoch: NOW,
  seq: 10,
  lostSeq: null,
  predecessors: [],
  adopted: null,
};
const at = (epoch: string, seq = 10): Position => ({ epoch, seq });

describe('a store is followed from a position', () => {
  it.each<[string, StoreHead | null, Position | null, string]>([
    ['never had one, nothing there', null, null, 'empty'],
    ['had one, nothing there', null, at(NOW), 'lost-data store-empty'],
    ['never had one', HEAD, null, 'follow'],
    ['same position', HEAD, at(NOW), 'follow'],
    ['behind the store', HEAD, at(NOW, 3), 'follow'],
    ['ahead of the store', HEAD, at(NOW, 11), 'lost-data older'],
    ['another epoch', HEAD, at(OLD), 'lost-data other-epoch'],
    ['an epoch that was adopted away', { ...HEAD, predecessors: [OLD] }, at(OLD), 'adopted'],
    ['ahead of an adopted epoch', { ...HEAD, predecessors: [OLD] }, at(OLD, 99), 'adopted'],
    ['an earlier epoch, adopted without its name', { ...HEAD, adopted: NOW }, at(OLD), 'adopted'],
    ['a later epoch than the adopted one', { ...HEAD, adopted: NOW }, at(LATER), 'lost-data other-epoch'],
    ['an adoption from a backup', { ...HEAD, adopted: LATER }, at(OLD), 'lost-data other-epoch'],
    ['a newer format', { ...HEAD, leastFormat: 1.1 }, at(NOW), 'newer-format'],
    ['a newer format of a stranger', { ...HEAD, leastFormat: 2 }, at(OLD), 'newer-format'],
    ['marked as lost', { ...HEAD, lostSeq: 12 }, at(NOW), 'lost-data found-by-control'],
    ['marked as lost, never had one', { ...HEAD, lostSeq: 12 }, null, 'lost-data found-by-control'],
    [
      'marked as lost after adoption',
      { ...HEAD, lostSeq: 12, predecessors: [OLD] },
      at(OLD),
      'lost-data found-by-control',
    ],
    ["a stranger's mark says nothing about ours", { ...HEAD, lostSeq: 12 }, at(OLD), 'lost-data other-epoch'],
    [
      'marked as lost and ahead of the store',
      { ...HEAD, lostSeq: 12 },
      at(NOW, 11),
      'lost-data found-by-control',
    ],
  ])('%s', (_, head, held, expected) => {
    const verdict = checkPosition(head, held, FORMAT);
    const words = verdict.state === 'lost-data' ? `${verdict.state} ${verdict.reason}` : verdict.state;
    expect(words).toBe(expected);
  });
});

it('orders epochs by their time; epochs of other stores have none', () => {
  expect([epochTime(OLD), epochTime(NOW), epochTime('anything')]).toEqual([1_000, 2_000, 0]);
  expect([LATER, OLD, NOW].toSorted()).toEqual([OLD, NOW, LATER]);
});
