import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { type AllowlistHandle, AllowlistReader } from '../../src/allowlist/index.ts';
import {
  ALWAYS,
  FLAPPING,
  FRESH,
  isLegal,
  lookupAt,
  lookupHalfWritten,
  NEVER,
  Word,
} from './threads-keys.ts';

const { shared, port } = workerData as { shared: SharedArrayBuffer; port: MessagePort };
const words = new Int32Array(shared);
const errors = { always: 0, never: 0, flapping: 0, added: 0, removed: 0, halfWritten: 0, handleMissing: 0 };
let rounds = 0;
let attached = 0;
let presentSeen = 0;

function newestShare(): AllowlistHandle | null {
  let newest: AllowlistHandle | null = null;
  for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) newest = got.message;
  return newest;
}

/** Attaches as a thread does between two batches. */
function attachNewest(reader: AllowlistReader): void {
  while (reader.isSuperseded) {
    const handle = newestShare();
    if (!handle) {
      errors.handleMissing += 1;
      return;
    }
    reader.attach(handle);
    attached += 1;
  }
}

function checkRound(reader: AllowlistReader): void {
  const added = Atomics.load(words, Word.ADDED);
  const removed = Atomics.load(words, Word.REMOVED);
  attachNewest(reader);
  if (removed > 0 && lookupAt(reader, FRESH.first + removed) !== 0) errors.removed += 1;
  const addedProfile = lookupAt(reader, FRESH.first + added);
  const isGone = Atomics.load(words, Word.REMOVED) + 1 >= added;
  if (added > 0 && !isGone && !isLegal(FRESH.first + added, addedProfile)) errors.added += 1;
  for (let index = 0; index < 50; index++) {
    const number = rounds * 50 + index;
    const always = ALWAYS.first + (number % ALWAYS.count);
    const never = NEVER.first + (number % NEVER.count);
    const flapping = FLAPPING.first + (number % FLAPPING.count);
    const flappingProfile = lookupAt(reader, flapping);
    if (!isLegal(always, lookupAt(reader, always))) errors.always += 1;
    if (lookupAt(reader, never) !== 0) errors.never += 1;
    if (lookupHalfWritten(reader) !== 0) errors.halfWritten += 1;
    if (flappingProfile !== 0 && !isLegal(flapping, flappingProfile)) errors.flapping += 1;
    if (flappingProfile !== 0) presentSeen += 1;
  }
  rounds += 1;
}

let first: AllowlistHandle | null = null;
while (!first) first = newestShare();
const reader = new AllowlistReader(first);
Atomics.add(words, Word.READERS_READY, 1);
Atomics.notify(words, Word.READERS_READY);
while (Atomics.load(words, Word.FINISHED) === 0) checkRound(reader);
checkRound(reader);
parentPort?.postMessage({ errors, rounds, attached, presentSeen });
port.close();
