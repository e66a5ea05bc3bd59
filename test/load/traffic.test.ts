import { decode } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { parseShares, QUERY_TYPES, sourcesOf } from '../../src/load/index.ts';
import { KINDS, type LoadPlan } from '../../src/load/plan.ts';
import { categoryOf } from '../../src/load/tallies.ts';
import { Traffic } from '../../src/load/traffic.ts';
import { parsePrefix } from '../../src/net/index.ts';
import { planOf, wire } from './support.ts';

interface Asked {
  readonly category: number;
  readonly source: number;
  readonly isUnregistered: boolean;
  readonly name: string;
  readonly type: string;
}

function ask(plan: LoadPlan, count: number, random = 1): Asked[] {
  const traffic = new Traffic(plan, () => random);
  const out = new Uint8Array(512);
  return Array.from({ length: count }, (_, i) => {
    traffic.next();
    const query = decode(Buffer.from(out.subarray(0, traffic.write(out, i))));
    expect(query).toMatchObject({ id: i, type: 'query', flags: 0x100 });
    const { name, type } = query.questions![0]!;
    const { category, source, isUnregistered } = traffic;
    return { category, source, isUnregistered, name, type };
  });
}

const mix = (text: string) => parseShares(text, KINDS, 'mix');
const types = (text: string) => parseShares(text, QUERY_TYPES, 'types');

describe('the traffic of a load', () => {
  it('keeps the shares of kinds, each with the same share of unregistered sources', () => {
    const plan = planOf({
      mix: mix('catalog=70,hit=25,miss=5'),
      unregistered: sourcesOf([parsePrefix('127.0.2.0/24')!], 4),
      unregisteredPercent: 20,
    });
    const asked = ask(plan, 2000);
    const count = (kind: number, isUnregistered: boolean) =>
      asked.filter(({ category }) => category === categoryOf(kind, isUnregistered)).length;
    expect([0, 1, 2].map((kind) => [count(kind, false), count(kind, true)])).toEqual([
      [1120, 280],
      [400, 100],
      [80, 20],
    ]);
  });

  it("asks for each name with each type, by the types' shares", () => {
    const names = { ...planOf().names, catalog: ['a.example', 'b.example', 'c.example'].map(wire) };
    const asked = ask(planOf({ names, types: types('A=2,AAAA=1') }), 90);
    for (const name of ['a.example', 'b.example', 'c.example']) {
      const of = asked.filter((one) => one.name === name);
      expect(of.filter(({ type }) => type === 'A')).toHaveLength(20);
      expect(of.filter(({ type }) => type === 'AAAA')).toHaveLength(10);
    }
  });

  it('never asks for a miss twice, in one load or in two', () => {
    const plan = planOf({ mix: mix('miss=1') });
    const names = [1, 2].flatMap((random) => ask(plan, 3000, random).map(({ name }) => name));
    expect(new Set(names).size).toBe(6000);
    for (const name of names) expect(name).toMatch(/^[a-z2-7]{12}\.base\.example$/);
  });

  it('rotates over all sources', () => {
    const plan = planOf({
      sources: sourcesOf([parsePrefix('127.0.1.0/30')!], 4),
      unregistered: sourcesOf([parsePrefix('127.0.2.0/31')!], 4),
      unregisteredPercent: 50,
    });
    const asked = ask(plan, 16);
    const of = (isUnregistered: boolean) =>
      asked.filter((one) => one.isUnregistered === isUnregistered).map(({ source }) => source);
    expect(of(false)).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    expect(of(true)).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
  });

  it('has an OPT record, or none', () => {
    const out = new Uint8Array(512);
    const additionals = [true, false].map((edns) => {
      const traffic = new Traffic(planOf({ edns }), () => 0);
      traffic.next();
      return decode(Buffer.from(out.subarray(0, traffic.write(out, 1)))).additionals;
    });
    expect(additionals).toMatchObject([[{ type: 'OPT', udpPayloadSize: 1232 }], []]);
  });
});
