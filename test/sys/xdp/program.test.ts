/**
 * The program, run by the kernel on made-up frames (BPF_PROG_TEST_RUN); where the kernel refuses it, the refusal is
 * checked.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { BpfError, BpfMap, loadXdpProgram, runProgram } from '../../../src/sys/bpf/index.ts';
import { closeSocket } from '../../../src/sys/index.ts';
import { redirectProgram } from '../../../src/sys/xdp/program.ts';
import { CLIENT_MAC, type FrameFields, frame, SERVER_MAC, target } from './support.ts';

const SERVER = '192.0.2.53';
const HIGH = '203.0.113.255';
const SERVER6 = '2001:db8::53';
const SIX = { from: '2001:db8:77::1', to: SERVER6 } as const;
const PASS = 2;
const REDIRECT = 4;
const LONGEST = 1600;
/** A map that takes any value, instead of one that takes sockets: the program does not notice. */
const CPU_MAP = 16 as never;

const descriptors: number[] = [];
const maps: BpfMap[] = [];
let refusal: BpfError | null = null;
let program = -1;

function load(served: readonly number[]): number {
  const map = new BpfMap({ type: CPU_MAP, name: 'test', keyBytes: 4, valueBytes: 4, maxEntries: 1 });
  maps.push(map);
  for (const queue of served) map.set(Uint8Array.of(queue, 0, 0, 0), Uint8Array.of(192, 0, 0, 0));
  const targets = [target(SERVER), target(HIGH, 5353), target(SERVER6), target('2001:db8::ffff:ffff', 5353)];
  const made = loadXdpProgram('test', redirectProgram(map.fd, SERVER_MAC, targets, LONGEST));
  descriptors.push(made);
  return made;
}

try {
  program = load([0]);
} catch (error) {
  refusal = error as BpfError;
}

afterAll(() => {
  for (const descriptor of descriptors) closeSocket(descriptor);
  for (const map of maps) map.close();
});

function promises(what: string, body: () => void): void {
  it(what, () => {
    if (refusal === null) return body();
    expect(refusal).toBeInstanceOf(BpfError);
    expect(refusal.reason).toMatch(/CAP_BPF|kernel|memory/);
  });
}

const changed = (fields: FrameFields, change: (bytes: Buffer) => void): Buffer => {
  const bytes = frame(fields);
  change(bytes);
  return bytes;
};

describe('the program at the entry of an interface', () => {
  const taken: readonly (readonly [string, Buffer])[] = [
    ['a query over IPv4', frame()],
    ['one without a checksum', frame({ checksum: 'none' })],
    ['one to another address and port that are served', frame({ to: HIGH, port: 5353 })],
    ['one over IPv6', frame(SIX)],
    ['one to another IPv6 address and port', frame({ ...SIX, to: '2001:db8::ffff:ffff', port: 5353 })],
    ['one with DF', changed({}, (b) => b.writeUInt16BE(0x4000, 20))],
    ['the shortest', frame({ payload: Buffer.alloc(0) })],
    ['the longest', frame({ payload: Buffer.alloc(LONGEST - 42) })],
  ];
  for (const [what, sent] of taken) {
    promises(`takes ${what}`, () => expect(runProgram(program, sent)).toBe(REDIRECT));
  }

  const passed: readonly (readonly [string, Buffer])[] = [
    ['another port', frame({ port: 54 })],
    ['the port of another address', frame({ port: 5353 })],
    ['another address', frame({ to: '192.0.2.54' })],
    ['another IPv6 address', frame({ ...SIX, to: '2001:db8::54' })],
    ['the IPv6 port of another address', frame({ ...SIX, port: 5353 })],
    ['TCP', changed({}, (b) => b.writeUInt8(6, 23))],
    ['TCP over IPv6', changed(SIX, (b) => b.writeUInt8(6, 20))],
    ['IPv4 options', changed({}, (b) => b.writeUInt8(0x46, 14))],
    ['a first fragment', changed({}, (b) => b.writeUInt16BE(0x2000, 20))],
    ['a later fragment', changed({}, (b) => b.writeUInt16BE(0x00b9, 20))],
    ['an IPv6 fragment', changed(SIX, (b) => b.writeUInt8(44, 20))],
    ['ARP', changed({}, (b) => b.writeUInt16BE(0x0806, 12))],
    ['a VLAN tag', changed({}, (b) => b.writeUInt16BE(0x8100, 12))],
    ['IPv6 that says that it is version 4', changed(SIX, (b) => b.writeUInt8(0x45, 14))],
    ['another machine’s address', frame({ mac: CLIENT_MAC })],
    ['another machine’s address, by its end', frame({ mac: Buffer.from('0200000000a2', 'hex') })],
    ['a broadcast', frame({ mac: Buffer.alloc(6, 255) })],
    ['more than a frame’s place', frame({ payload: Buffer.alloc(LONGEST - 41) })],
    ['IPv6 that ends within its headers', frame({ ...SIX, payload: Buffer.alloc(0) }).subarray(0, 61)],
    ['IPv4 that ends within its headers', frame().subarray(0, 41)],
  ];
  for (const [what, sent] of passed) {
    promises(`lets ${what} pass`, () => expect(runProgram(program, sent)).toBe(PASS));
  }

  promises('lets pass what comes by a queue without a socket', () => {
    expect(runProgram(load([]), frame())).toBe(PASS);
  });
});
