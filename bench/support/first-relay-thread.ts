import { workerData } from 'node:worker_threads';
import {
  clearEvent,
  closeSocket,
  monotonicClock,
  openUdpSocket,
  PacketBatch,
  Poller,
} from '../../src/sys/index.ts';
import { addressOf, type FirstRelayShare } from './first-relay.ts';
import { queryFor } from './prober.ts';

const SLOTS = 64;
const SLOT_BYTES = 512;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const EVERY_ADDRESS = new Uint8Array(4);
const FIRST_AGAIN_MS = 1;
const AGAIN_PART = 1 / 8;
const LATE_MS = 10_000;
const SLEEP_MS = 100;

/** An address that some edge does not serve yet. */
interface Waiting {
  readonly n: number;
  readonly left: Set<number>;
  dueMs: number;
}

const share = workerData as FirstRelayShare;
const counts = new Int32Array(share.counts);
const sinceMs = new Float64Array(share.sinceMs);
const delaysMs = new Float64Array(share.delaysMs);
const now = monotonicClock();
const fd = openUdpSocket({
  family: 4,
  address: EVERY_ADDRESS,
  port: 0,
  reusePort: false,
  packetInfo: true,
  receiveBufferBytes: 4 << 20,
  receiveTimeoutMs: SLEEP_MS,
});
const outgoing = new PacketBatch(SLOTS, SLOT_BYTES, true);
const incoming = new PacketBatch(SLOTS, SLOT_BYTES, true);
const poller = new Poller([fd, share.event]);
const query = queryFor(share.name, 0);
const waiting = new Map<number, Waiting>();
let taken = 0;
let queued = 0;

function ask(address: Waiting, nowMs: number): void {
  const source = addressOf(address.n);
  for (const port of address.left) {
    const slot = outgoing.data[queued]!;
    slot.set(query);
    slot[0] = (address.n >> 8) & 255;
    slot[1] = address.n & 255;
    outgoing.replyLengths[queued] = query.length;
    outgoing.setDestination(queued, 4, LOOPBACK, port);
    outgoing.setSource(queued, source, 0);
    if (++queued === SLOTS) flush();
  }
  const waitedMs = nowMs - sinceMs[address.n]!;
  address.dueMs = nowMs + Math.max(FIRST_AGAIN_MS, waitedMs * AGAIN_PART);
  if (waitedMs > LATE_MS) end(address.n);
}

function flush(): void {
  if (queued > 0) outgoing.send(fd, queued);
  queued = 0;
}

function end(n: number): void {
  waiting.delete(n);
  counts[1]! += 1;
}

function receive(): void {
  for (let count = incoming.receive(fd, false); count > 0; count = incoming.receive(fd, false)) {
    const nowMs = now();
    for (let slot = 0; slot < count; slot++) {
      const reply = incoming.data[slot]!;
      const hasAnswer = (reply[3]! & 15) === 0 && reply[7]! > 0;
      const id = (reply[0]! << 8) | reply[1]!;
      if (hasAnswer) served(id, incoming.ports[slot]!, nowMs);
    }
  }
}

function served(n: number, port: number, nowMs: number): void {
  const address = waiting.get(n);
  if (!address?.left.delete(port)) return;
  delaysMs[n * share.ports.length + share.ports.indexOf(port)] = nowMs - sinceMs[n]!;
  if (address.left.size === 0) end(n);
}

while (counts[1]! < share.total) {
  const nowMs = now();
  for (const known = Atomics.load(counts, 0); taken < known; taken++) {
    const n = counts[2 + taken]!;
    waiting.set(n, { n, left: new Set(share.ports), dueMs: nowMs });
  }
  let dueMs = nowMs + SLEEP_MS;
  for (const address of waiting.values()) {
    if (address.dueMs <= nowMs) ask(address, nowMs);
    dueMs = Math.min(dueMs, address.dueMs);
  }
  flush();
  poller.wait(Math.max(0, Math.ceil(dueMs - now())));
  if (poller.isReady(1)) clearEvent(share.event);
  receive();
}
closeSocket(fd);
