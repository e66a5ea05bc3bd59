import { totalmem } from 'node:os';
import { type Config, formatSize } from '../config/index.ts';
import { openFilesLimit, planDescriptors } from './serve/descriptors.ts';
import { threadsOf } from './serve/threads.ts';

const MIB = 1024 ** 2;
/** An idle process with the roles control and edge (bench/README.md). */
const BASE_BYTES = 144 * MIB;
/** Heap, stack and buffers of a thread under load. */
const THREAD_BYTES = 10 * MIB;

export interface Machine {
  /** Soft limit of open files; null if unknown. */
  readonly openFiles: number | null;
  /** Memory that this process may use. */
  readonly memoryBytes: number;
}

/** Names settings that this machine, or the limits of this shell or container, cannot fulfil. */
export function machineWarnings(config: Config, machine: Machine = thisMachine()): string[] {
  const warnings: string[] = [];
  const { needed } = planDescriptors(config, machine.openFiles);
  if (machine.openFiles !== null && needed > machine.openFiles) {
    warnings.push(
      `the limits of connections add up to ${needed} open files, and the limit here is ${machine.openFiles}: fewer connections are accepted; raise it (LimitNOFILE, ulimit -n)`,
    );
  }
  const bytes = memoryOf(config);
  if (bytes > machine.memoryBytes) {
    const parts = `cache.bytes ${formatSize(config.cache.bytes)}, threads and the process itself`;
    warnings.push(
      `${parts} need about ${Math.round(bytes / MIB)} MiB without the allowlist, and there are ${Math.round(machine.memoryBytes / MIB)} MiB: lower cache.bytes, dns.workers or relay.workers`,
    );
  }
  return warnings;
}

function memoryOf({ roles, dns, relay, cache }: Config): number {
  const edge = roles.includes('edge') ? 2 * threadsOf(dns.workers) : 0;
  const carriers = roles.includes('relay') ? threadsOf(relay.workers) : 0;
  const hasCache = edge + carriers > 0;
  return BASE_BYTES + (edge + carriers) * THREAD_BYTES + (hasCache ? cache.bytes : 0);
}

function thisMachine(): Machine {
  // The limit of the control group; larger than the machine's memory, or 0, without one.
  const limit = process.constrainedMemory();
  return {
    openFiles: openFilesLimit(),
    memoryBytes: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
  };
}
