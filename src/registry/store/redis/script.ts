import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { Position } from '../position.ts';
import { Key } from './keys.ts';

/** All steps are one script, so that they share how accounts and entries are read and written. */
const PARTS = [
  'keyspace',
  'entries',
  'flush',
  'idempotency',
  'credentials',
  'update-tokens',
  'registrations',
  'hostnames',
  'private-names',
  'accounts',
  'service-days',
  'log',
  'leader',
  'transfer',
  'repair',
  'dispatch',
];

const TEXT = PARTS.map((part) => readFileSync(new URL(`./lua/${part}.lua`, import.meta.url), 'utf8')).join(
  '\n',
);
const SHA = createHash('sha1').update(TEXT).digest('hex');

type ScriptArgument = string | number | Uint8Array;
/** Arguments of a step by name; those that are undefined or false are left out, true is 1. */
export type StepArguments = Readonly<Record<string, ScriptArgument | boolean | undefined>>;
/** A script's reply: integers, bulk strings as Buffers, null, and lists of these. */
export type Reply = number | Buffer | null | Reply[];

/**
 * Runs a step of the script: by hash, or by text if Redis does not know the hash (after a restart, a failover or
 * SCRIPT FLUSH). A call with an unknown hash does nothing, so the step is never done twice.
 *
 * @param known the position that the store must have reached; null for steps that run in any state
 * @throws errors of ioredis
 */
export async function runScript(
  redis: Redis,
  name: string,
  known: Position | null = null,
  args: StepArguments = {},
): Promise<Reply[]> {
  const { epoch, seq } = known ?? { epoch: '', seq: 0 };
  const rest: (string | number | Buffer)[] = [1, Key.META, name, epoch, seq];
  for (const key in args) {
    const value = args[key];
    if (value === undefined || value === false) continue;
    rest.push(key, value === true ? 1 : value instanceof Uint8Array ? bufferOf(value) : value);
  }
  try {
    return (await redis.callBuffer('EVALSHA', SHA, ...rest)) as Reply[];
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
    return (await redis.callBuffer('EVAL', TEXT, ...rest)) as Reply[];
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
