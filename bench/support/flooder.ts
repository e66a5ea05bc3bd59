import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Of clients or a flood: the first address, how many follow it, and packets a second. */
export interface Stream {
  readonly from: string;
  /** 256 by default. */
  readonly sources?: number;
  /** Packets/s; a flood's may be -1: as fast as possible. */
  readonly rate: number;
}

export interface FloodPlan {
  readonly port: number;
  /** Before what is measured, at the same rates; 0 by default. */
  readonly leadSeconds?: number;
  readonly seconds: number;
  /** None by default. */
  readonly clients?: Stream;
  /** None by default. */
  readonly flood?: Stream | undefined;
}

export interface FloodResult {
  readonly sentInLead: number;
  readonly lostInLead: number;
  readonly sent: number;
  readonly lost: number;
  readonly flooded: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

/** The generator of floods, flood.c, compiled. */
export class Flooder {
  private readonly directory = mkdtempSync(join(tmpdir(), 'bench-flood-'));
  private readonly program = join(this.directory, 'flood');
  private readonly wrapper: readonly string[];

  /** @param wrapper a program, with its arguments, that runs what follows it */
  constructor(processor: number, wrapper: readonly string[] = []) {
    this.wrapper = [...wrapper, 'taskset', '-c', String(processor)];
    execFileSync('cc', ['-O2', '-o', this.program, join(import.meta.dirname, 'flood.c')]);
  }

  async run({ port, leadSeconds = 0, seconds, clients, flood }: FloodPlan): Promise<FloodResult> {
    const [command, ...rest] = [
      ...[...this.wrapper, this.program, port, leadSeconds, seconds],
      ...[clients?.from ?? '127.0.0.1', clients?.sources ?? 256, clients?.rate ?? 0],
      ...[flood?.from ?? '127.0.0.1', flood?.sources ?? 256, flood?.rate ?? 0],
    ].map(String);
    const { stdout } = await run(command!, rest);
    return JSON.parse(stdout) as FloodResult;
  }

  close(): void {
    rmSync(this.directory, { recursive: true });
  }
}
