import { readFileSync } from 'node:fs';

const SYSCTL = 'kernel.unprivileged_bpf_disabled';
/** include/uapi/linux/capability.h */
const CAP_SYS_ADMIN = 21;
const CAP_BPF = 39;

/** A process's rights to use bpf(2). */
export interface BpfRights {
  /** kernel.unprivileged_bpf_disabled: 0, 1 or 2; null if unreadable. */
  readonly unprivilegedDisabled: string | null;
  /** True with CAP_BPF or CAP_SYS_ADMIN in effect; null if unknown. */
  readonly hasCapability: boolean | null;
}

/**
 * Explains to an operator why bpf(2) was refused and what to change.
 * @param code the errno's name
 */
export function bpfRefusal(code: string, rights: BpfRights = readRights()): string {
  if (code === 'ENOSYS') return 'this kernel has no bpf(2), or a seccomp profile hides it';
  if (code === 'ENOMEM') return 'the kernel, or the memory limit of the container, has no room for it';
  if (code !== 'EPERM' && code !== 'EACCES') return 'this kernel does not take it';
  if (rights.hasCapability === true) {
    return 'CAP_BPF is there, so that a seccomp profile or the lockdown of the kernel forbids bpf(2)';
  }
  if (rights.unprivilegedDisabled === '0') {
    return `${SYSCTL} is 0, so that a seccomp profile (a container's default one) or RLIMIT_MEMLOCK forbids it: give CAP_BPF`;
  }
  const { unprivilegedDisabled } = rights;
  const setting = unprivilegedDisabled === null ? '' : `, and ${SYSCTL} is ${unprivilegedDisabled}`;
  return `the process has not CAP_BPF${setting}: give it CAP_BPF (before Linux 5.8: CAP_SYS_ADMIN)`;
}

function readRights(): BpfRights {
  const status = read('/proc/self/status');
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? '')?.[1];
  return {
    unprivilegedDisabled: read('/proc/sys/kernel/unprivileged_bpf_disabled')?.trim() ?? null,
    hasCapability:
      effective === undefined ? null : [CAP_SYS_ADMIN, CAP_BPF].some((bit) => holds(effective, bit)),
  };
}

/** Tests a bit of a hexadecimal number of 16 digits. */
function holds(hexadecimal: string, bit: number): boolean {
  const digit = Number.parseInt(hexadecimal.at(-1 - (bit >> 2)) ?? '0', 16);
  return ((digit >> (bit & 3)) & 1) === 1;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
