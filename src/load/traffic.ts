import { type QueryFields, RecordClass, RecordType, writeQuery } from '../wire/index.ts';
import { KINDS, type LoadPlan, MISS_LABEL_BYTES, QUERY_TYPES } from './plan.ts';
import { turnsOf } from './shares.ts';
import { categoryOf } from './tallies.ts';

const UDP_SIZE = 1232;
const COUNTER_LETTERS = 7;
const LETTERS = Buffer.from('abcdefghijklmnopqrstuvwxyz234567', 'latin1');
/** An odd multiplier modulo 2^32 maps each counter to a distinct number, and neighbours far apart. */
const SPREAD = 0x9e3779b1;
const MISS = KINDS.indexOf('miss');

/**
 * Sequence of a load's queries: kind, source and bytes of each. Kinds, types, names and sources rotate.
 * Allocates nothing after construction.
 */
export class Traffic {
  /** Current query: its category, whether an unregistered source asks, and which one. */
  category = 0;
  isUnregistered = false;
  source = 0;

  private readonly plan: LoadPlan;
  /** Kind * 2, plus 1 for an unregistered source. */
  private readonly turns: Uint8Array;
  private readonly typeTurns: Uint8Array;
  private readonly types: readonly number[] = QUERY_TYPES.map((type) => RecordType[type]);
  private readonly names: readonly (readonly Uint8Array[])[];
  /** By kind: the next name, and the completed rounds over the names. */
  private readonly nameTurns = new Int32Array(KINDS.length);
  private readonly rounds = new Int32Array(KINDS.length);
  private readonly fields: QueryFields;
  private readonly missName: Uint8Array;
  private turn = 0;
  private kind = 0;
  private registeredSource = 0;
  private unregisteredSource = 0;

  /** @param random returns 32 random bits, so that no two loads ask for the same misses */
  constructor(plan: LoadPlan, random: () => number) {
    this.plan = plan;
    const { mix, unregisteredPercent: percent } = plan;
    // One sequence over kind and source together: two sequences whose lengths divide each other would always
    // pair the same.
    this.turns = turnsOf(KINDS.flatMap((kind) => [mix[kind] * (100 - percent), mix[kind] * percent]));
    this.typeTurns = turnsOf(QUERY_TYPES.map((type) => plan.types[type]));
    this.missName = new Uint8Array([MISS_LABEL_BYTES - 1, ...new Uint8Array(12), ...plan.names.missBase]);
    writeLetters(this.missName, 1 + COUNTER_LETTERS, 5, random());
    this.fields = {
      id: 0,
      name: this.missName,
      nameLength: 0,
      type: 0,
      qclass: RecordClass.IN,
      checkingDisabled: false,
      udpSize: plan.edns ? UDP_SIZE : null,
      dnssecOk: false,
    };
    this.names = [plan.names.catalog, plan.names.hits, [this.missName]];
  }

  /** Advances to the next query. */
  next(): void {
    const turn = this.turns[this.turn];
    if (++this.turn === this.turns.length) this.turn = 0;
    this.kind = turn >> 1;
    this.isUnregistered = (turn & 1) === 1;
    this.category = categoryOf(this.kind, this.isUnregistered);
    if (this.isUnregistered) {
      this.source = this.unregisteredSource++;
      if (this.unregisteredSource >= this.plan.unregistered.count) this.unregisteredSource = 0;
    } else {
      this.source = this.registeredSource++;
      if (this.registeredSource >= this.plan.sources.count) this.registeredSource = 0;
    }
  }

  /** Writes the current query to the start of `out`. @returns its length in bytes */
  write(out: Uint8Array, id: number): number {
    const { kind, fields } = this;
    const names = this.names[kind];
    const name = this.nameTurns[kind];
    const round = this.rounds[kind];
    if (name + 1 < names.length) this.nameTurns[kind]++;
    else {
      this.nameTurns[kind] = 0;
      this.rounds[kind] = (round + 1) | 0;
    }
    // Each miss is a round of its own: the round's number makes its name.
    if (kind === MISS) writeLetters(this.missName, 1, COUNTER_LETTERS, Math.imul(round, SPREAD));
    fields.id = id;
    fields.name = names[name];
    fields.nameLength = names[name].length;
    // Each round over the names shifts the types by one, so that each name is asked for each type.
    fields.type = this.types[this.typeTurns[(name + (round & 0xffff)) % this.typeTurns.length]];
    return writeQuery(out, fields);
  }
}

/** Writes a 32-bit number as letters, five bits each, lowest first. */
function writeLetters(out: Uint8Array, offset: number, count: number, bits: number): void {
  let rest = bits >>> 0;
  for (let i = 0; i < count; i++) {
    out[offset + i] = LETTERS[rest & 31];
    rest >>>= 5;
  }
}
