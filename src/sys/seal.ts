import { writeFileSync } from 'node:fs';
import { libc } from './libc.ts';

const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
const MADV_DONTDUMP = 16;
/** arm64 kernels have pages of 4, 16 or 64 KiB. */
const PAGE_BYTES = process.arch === 'arm64' ? 0x10000 : 0x1000;

/**
 * Keeps the memory of this process in this process, for good: no core dump, no ptrace or /proc/PID/mem for other processes of
 * the same user (root still may), and no diagnostic reports.
 * @returns false where the system calls are not available; reports are forbidden everywhere
 */
export function sealProcess(): boolean {
  forbidReports();
  const library = libc();
  if (library === null) return false;
  // A piped core_pattern ignores RLIMIT_CORE (core(5)); an empty filter and PR_SET_DUMPABLE hold for it too.
  excludeAllFromDumps();
  const limited = library.setrlimit(RLIMIT_CORE, new Uint32Array(4)) === 0;
  return library.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) === 0 && limited;
}

/** Node's `excludeNetwork` still lists the addresses of open sockets, so reports are off, whatever NODE_OPTIONS says. */
function forbidReports(): void {
  const { report } = process;
  if (report === undefined) return;
  report.reportOnSignal = false;
  report.reportOnFatalError = false;
  report.reportOnUncaughtException = false;
  Object.assign(report, { excludeNetwork: true, excludeEnv: true });
}

/** Before PR_SET_DUMPABLE, which gives the file to root. */
function excludeAllFromDumps(): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch {
    // Without /proc the other two measures remain.
  }
}

/** Keeps the whole pages of a shared buffer out of core dumps, also those that a tool of root's writes (madvise(2)). */
export function excludeFromDumps(memory: SharedArrayBuffer): void {
  const library = libc();
  if (library === null) return;
  const [low, high] = library.addressOf(new Uint8Array(memory));
  const address = high * 0x1_0000_0000 + low;
  const start = Math.ceil(address / PAGE_BYTES) * PAGE_BYTES;
  const end = Math.floor((address + memory.byteLength) / PAGE_BYTES) * PAGE_BYTES;
  if (end > start) library.madvise(start, end - start, MADV_DONTDUMP);
}
