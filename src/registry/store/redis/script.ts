import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { Key } from './keys.ts';

/** One script for all steps, so that all share how an account and an entry are read and written. */
const PARTS = ['space', 'entries', 'flush', 'steps', 'transfer', 'upkeep'];

const TEXT = PARTS.map((part) => readFileSync(new URL(`./lua/${part}.lua`, import.meta.url), 'utf8')).join(
  '\n',
);
const SHA = createHash('sha1').update(TEXT).digest('hex');

export type ScriptArgument = string | number | Uint8Array;
/** What a script replies: integers, bulk strings as Buffers, null, lists of these. */
export type Reply = number | Buffer | null | Reply[];

/**
 * Runs a step of the script: by its hash, and by its text where Redis does not know it (yet, or any more: a restart,
 * another primary, SCRIPT FLUSH). Nothing was done by a call that Redis did not know, so that the second is the only one.
 *
 * @throws what ioredis throws.
 */
export async function runScript(redis: Redis, args: readonly ScriptArgument[]): Promise<Reply[]> {
  const rest = [1, Key.META, ...args.map((arg) => (arg instanceof Uint8Array ? bufferOf(arg) : arg))];
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
