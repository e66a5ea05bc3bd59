import { requireLibc, SystemCallError } from '../libc.ts';
import { Memory } from '../memory.ts';
import { INSTRUCTION_BYTES } from './assembler.ts';
import { Attributes, BpfCommand, bpf, bpfDescriptor } from './call.ts';
import { BpfError } from './errors.ts';

/** Kinds of program (include/uapi/linux/bpf.h). */
const SOCKET_FILTER = 1;
const XDP = 6;
/** Attach type of a link: ingress of a network interface. */
const ATTACH_XDP = 37;
const SOL_SOCKET = 1;
const SO_DETACH_FILTER = 27;
const SO_ATTACH_BPF = 50;
const LOG_BYTES = 64 << 10;
/** License of the program. It calls no GPL-only helper. */
const LICENSE = 'MIT';

/**
 * Loads a socket filter. Its result is how many bytes of the packet to keep; 0 drops it.
 * @param code from `assemble`
 * @returns its descriptor.
 * @throws BpfError, with the verifier's log if the verifier refused the program.
 */
export function loadSocketFilter(name: string, code: Uint8Array): number {
  return loadProgram(SOCKET_FILTER, 'a socket filter', name, code);
}

/**
 * Loads an XDP program, which decides for each frame of a network interface.
 * @param code from `assemble`
 * @returns its descriptor.
 * @throws BpfError, with the verifier's log if the verifier refused the program.
 */
export function loadXdpProgram(name: string, code: Uint8Array): number {
  return loadProgram(XDP, 'an XDP program', name, code);
}

/**
 * Attaches an XDP program to an interface until the returned descriptor is closed (Linux 5.9).
 * @param flags XDP_FLAGS_* of include/uapi/linux/if_link.h
 * @throws BpfError EBUSY or EEXIST if another one is attached, EOPNOTSUPP if the driver lacks this mode.
 */
export function linkXdpProgram(program: number, interfaceIndex: number, flags: number): number {
  const attributes = new Attributes(48);
  for (const [at, word] of [program, interfaceIndex, ATTACH_XDP, flags].entries())
    attributes.setWord(at * 4, word);
  return bpfDescriptor(BpfCommand.LINK_CREATE, attributes, 'putting an XDP program on an interface');
}

/**
 * Runs an XDP program once on a frame, without a network (BPF_PROG_TEST_RUN).
 * @returns its result
 * @throws SystemCallError
 */
export function runProgram(program: number, frame: Uint8Array): number {
  const libc = requireLibc();
  const data = new Memory(frame.length);
  data.bytes.set(frame);
  const attributes = new Attributes(72);
  attributes.setWord(0, program);
  attributes.setWord(8, frame.length);
  attributes.setPointer(16, data.address);
  if (bpf(libc, BpfCommand.PROGRAM_TEST_RUN, attributes) !== 0) {
    throw new SystemCallError('bpf', libc.errno());
  }
  return attributes.word(4);
}

function loadProgram(type: number, what: string, name: string, code: Uint8Array): number {
  const instructions = new Memory(code.length);
  instructions.bytes.set(code);
  const license = new Memory(LICENSE.length + 1);
  license.bytes.set(new TextEncoder().encode(LICENSE));
  const attributes = new Attributes(64);
  attributes.setWord(0, type);
  attributes.setWord(4, code.length / INSTRUCTION_BYTES);
  attributes.setPointer(8, instructions.address);
  attributes.setPointer(16, license.address);
  attributes.setName(48, name);
  try {
    return bpfDescriptor(BpfCommand.PROGRAM_LOAD, attributes, what);
  } catch (error) {
    throw withVerifierLog(error as BpfError, attributes, what);
  }
}

/** Attaches a filter to a socket, replacing its current one. @throws SystemCallError */
export function attachFilter(socket: number, program: number): void {
  setOption(socket, SO_ATTACH_BPF, program);
}

/** Detaches a socket's filter, if it has one. */
export function detachFilter(socket: number): void {
  const libc = requireLibc();
  libc.setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, new Uint8Array(4), 4);
}

function setOption(socket: number, option: number, value: number): void {
  const libc = requireLibc();
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  if (libc.setsockopt(socket, SOL_SOCKET, option, bytes, 4) !== 0) {
    throw new SystemCallError('setsockopt', libc.errno());
  }
}

/** Loads again with a log buffer. Writing the log costs time and is useful for a refused program only. */
function withVerifierLog(error: BpfError, attributes: Attributes, what: string): BpfError {
  if (error.code !== 'EINVAL' && error.code !== 'EACCES') return error;
  const log = new Memory(LOG_BYTES);
  attributes.setWord(24, 1);
  attributes.setWord(28, LOG_BYTES);
  attributes.setPointer(32, log.address);
  try {
    requireLibc().close(bpfDescriptor(BpfCommand.PROGRAM_LOAD, attributes, what));
    return error;
  } catch {
    const end = log.bytes.indexOf(0);
    const text = new TextDecoder().decode(Uint8Array.from(log.bytes.subarray(0, end))).trim();
    return text === '' ? error : new BpfError(what, error.code, 'the verifier refuses it', text);
  }
}
