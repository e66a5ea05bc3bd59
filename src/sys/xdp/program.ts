import {
  add,
  and32,
  assemble,
  BpfError,
  BpfMap,
  BpfMapType,
  call,
  exit,
  jump,
  jumpIf,
  jumpIfRegister,
  type Line,
  label,
  linkXdpProgram,
  load,
  loadXdpProgram,
  move,
  Register,
  set,
  set32,
  setMap,
} from '../bpf/index.ts';
import { closeSocket } from '../socket.ts';
import { XdpError } from './errors.ts';
import type { XdpTarget } from './frame.ts';
import type { NetworkInterface } from './interface.ts';

const { R0, R1, R2, R3, R4, R5, R6, R7, R8 } = Register;
const PASS = 2;
const REDIRECT_MAP = 51;
/* Fields of struct xdp_md (include/uapi/linux/bpf.h). */
const DATA = 0;
const DATA_END = 4;
const RECEIVE_QUEUE = 16;
/* Words of frames as a little-endian machine reads them. */
const TYPE_IPV4 = 0x0008;
const TYPE_IPV6 = 0xdd86;
const FRAGMENT = 0xffbf;
const UDP = 17;
/* include/uapi/linux/if_link.h */
const XDP_FLAGS_SKB_MODE = 2;
const XDP_FLAGS_DRV_MODE = 4;

export type XdpMode = 'driver' | 'generic';

/** Most addresses of one program; each costs a few instructions a packet. */
export const MAX_XDP_TARGETS = 32;

/**
 * Builds a program that redirects UDP packets for `targets` to the socket of their receive queue. It passes everything else
 * to the kernel: other packets, fragments, IPv4 options, IPv6 extension headers, VLAN tags, frames for other machines or
 * longer than `maxFrameBytes`, and all packets of a queue without a socket.
 */
export function redirectProgram(
  map: number,
  mac: Uint8Array,
  targets: readonly XdpTarget[],
  maxFrameBytes: number,
): Uint8Array {
  return assemble([
    move(R6, R1),
    load(4, R2, R1, DATA),
    load(4, R3, R1, DATA_END),
    ...boundary(42, 'pass'),
    move(R4, R2),
    add(R4, maxFrameBytes),
    jumpIfRegister(R3, '>', R4, 'pass'),
    ...unlessWord(0, readLittle(mac, 0), 'pass'),
    load(2, R5, R2, 4),
    jumpIf(R5, '!=', mac[4] | (mac[5] << 8), 'pass'),
    load(2, R5, R2, 12),
    jumpIf(R5, '==', TYPE_IPV6, 'ipv6'),
    jumpIf(R5, '!=', TYPE_IPV4, 'pass'),
    load(1, R5, R2, 14),
    jumpIf(R5, '!=', 0x45, 'pass'),
    load(2, R5, R2, 20),
    and32(R5, FRAGMENT),
    jumpIf(R5, '!=', 0, 'pass'),
    load(1, R5, R2, 23),
    jumpIf(R5, '!=', UDP, 'pass'),
    ...matches(targets, 4, 30, 36),
    jump('pass'),
    label('ipv6'),
    ...boundary(62, 'pass'),
    load(1, R5, R2, 14),
    and32(R5, 0xf0),
    jumpIf(R5, '!=', 0x60, 'pass'),
    load(1, R5, R2, 20),
    jumpIf(R5, '!=', UDP, 'pass'),
    ...matches(targets, 6, 38, 56),
    label('pass'),
    set(R0, PASS),
    exit(),
    label('take'),
    load(4, R2, R6, RECEIVE_QUEUE),
    setMap(R1, map),
    // Action for a queue without a socket: pass.
    set(R3, PASS),
    call(REDIRECT_MAP),
    exit(),
  ]);
}

/** Jumps if the frame at R2 is shorter than `bytes`. */
function boundary(bytes: number, target: string): Line[] {
  return [move(R4, R2), add(R4, bytes), jumpIfRegister(R4, '>', R3, target)];
}

/** Jumps if the four bytes at `offset` differ from `word`. */
function unlessWord(offset: number, word: number, target: string): Line[] {
  return [load(4, R7, R2, offset), set32(R5, word | 0), jumpIfRegister(R7, '!=', R5, target)];
}

function matches(targets: readonly XdpTarget[], family: 4 | 6, address: number, port: number): Line[] {
  const lines: Line[] = [load(2, R8, R2, port)];
  for (const [i, target] of targets.entries()) {
    if (target.family !== family) continue;
    const next = `after ${i}`;
    lines.push(jumpIf(R8, '!=', (target.port >> 8) | ((target.port & 0xff) << 8), next));
    for (let at = 0; at < target.address.length; at += 4) {
      lines.push(...unlessWord(address + at, readLittle(target.address, at), next));
    }
    lines.push(jump('take'), label(next));
  }
  return lines;
}

function readLittle(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** The program on an interface. The kernel removes it when the process ends, however it ends. */
export class XdpProgram {
  readonly mode: XdpMode;
  private readonly map: BpfMap;
  private readonly program: number;
  private readonly link: number;
  private isOpen = true;

  private constructor(map: BpfMap, program: number, link: number, mode: XdpMode) {
    this.map = map;
    this.program = program;
    this.link = link;
    this.mode = mode;
  }

  /**
   * Loads the program and attaches it. Everything passes until a queue gets a socket.
   * @param modes attach modes to try, in order
   * @throws XdpError
   */
  static attach(
    on: NetworkInterface,
    targets: readonly XdpTarget[],
    maxFrameBytes: number,
    modes: readonly XdpMode[],
  ): XdpProgram {
    let map: BpfMap | null = null;
    let program = -1;
    try {
      map = new BpfMap({
        type: BpfMapType.XSK,
        name: 'dns_queues',
        keyBytes: 4,
        valueBytes: 4,
        maxEntries: on.queues,
      });
      program = loadXdpProgram('dns_redirect', redirectProgram(map.fd, on.mac, targets, maxFrameBytes));
      const { link, mode } = linkBy(program, on, modes);
      return new XdpProgram(map, program, link, mode);
    } catch (error) {
      if (program >= 0) closeSocket(program);
      map?.close();
      if (error instanceof BpfError) throw new XdpError(error.message);
      throw error;
    }
  }

  /** Redirects a queue to the socket bound to it. @throws SystemCallError */
  serve(queue: number, socket: number): void {
    const words = new Int32Array(2);
    words[0] = queue;
    words[1] = socket;
    const bytes = new Uint8Array(words.buffer);
    this.map.set(bytes.subarray(0, 4), bytes.subarray(4, 8));
  }

  /** Detaches the program: everything passes again. */
  detach(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    closeSocket(this.link);
    closeSocket(this.program);
    this.map.close();
  }
}

function linkBy(
  program: number,
  on: NetworkInterface,
  modes: readonly XdpMode[],
): { link: number; mode: XdpMode } {
  const refusals: string[] = [];
  for (const mode of modes) {
    try {
      const flags = mode === 'driver' ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
      return { link: linkXdpProgram(program, on.index, flags), mode };
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      if (error.code === 'EBUSY' || error.code === 'EEXIST') {
        throw new XdpError(
          `the interface "${on.name}" has another XDP program (see: ip link show ${on.name})`,
        );
      }
      refusals.push(`${mode} mode: ${error.code}: ${error.reason}`);
    }
  }
  throw new XdpError(`the interface "${on.name}" takes no XDP program (${refusals.join('; ')})`);
}
