import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Order } from './relay-load.ts';

/** Clients of a relay and the origin behind it, in a process of their own on one processor. */
export class RelayLoad {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(processor: number, originPort: number): Promise<RelayLoad> {
    const file = join(import.meta.dirname, 'relay-load.ts');
    const command = ['-c', String(processor), process.execPath, file, String(originPort)];
    const load = new RelayLoad(spawn('taskset', command, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await load.lines.next();
    return load;
  }

  /** @returns how long it took, in seconds */
  async do(order: Order): Promise<number> {
    this.child.stdin!.write(`${JSON.stringify(order)}\n`);
    const { value } = await this.lines.next();
    if (!String(value).startsWith('done ')) throw new Error(String(value));
    return Number(String(value).slice(5)) / 1000;
  }

  async stop(): Promise<void> {
    this.child.kill();
    await once(this.child, 'exit');
  }
}
