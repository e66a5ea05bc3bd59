import { readdirSync, readFileSync } from 'node:fs';
import koffi from 'koffi';

/** ptrace(2) and waitpid(2). */
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const PTRACE_DETACH = 17;
const WAIT_ALL = 0x40000000;

/** One thread of another process, stopped as a bug could stop it; the process's other threads go on. */
export class HeldThread {
  private readonly call: (request: number, tid: number, address: number, data: number) => number;
  private readonly tid: number;

  private constructor(tid: number) {
    const libc = koffi.load('libc.so.6');
    this.call = libc.func('long ptrace(long, int, uintptr_t, uintptr_t)');
    const wait = libc.func('int waitpid(int, _Out_ int *, int)');
    this.tid = tid;
    this.order(PTRACE_SEIZE);
    this.order(PTRACE_INTERRUPT);
    if (wait(tid, [0], WAIT_ALL) !== tid) throw new Error('waitpid failed');
  }

  /** @param name as the kernel has it: 15 characters at most */
  static hold(pid: number, name: string): HeldThread {
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      if (readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim() === name)
        return new HeldThread(Number(tid));
    }
    throw new Error(`no thread ${name}`);
  }

  release(): void {
    this.order(PTRACE_DETACH);
  }

  private order(request: number): void {
    if (this.call(request, this.tid, 0, 0) < 0) throw new Error(`ptrace ${request} failed`);
  }
}
