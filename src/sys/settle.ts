import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Number of full collections until no more memory is released; the first ones only find out what can be compacted. */
const ROUNDS = 2;

/**
 * Releases garbage left by this thread's start. V8 would keep it until later allocations trigger a collection, which never
 * happens in a thread that makes no garbage.
 */
export function settleHeap(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  for (let round = 0; round < ROUNDS; round++) {
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }
}
