import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collections until nothing more is given back: the first ones only find out what can be moved together. */
const ROUNDS = 2;

/**
 * Collects what the start of this thread left behind, so that it idles on what it needs. V8 would keep that
 * memory until there is work, which for a thread without garbage is never.
 */
export function settleHeap(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  for (let round = 0; round < ROUNDS; round++) {
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }
}
