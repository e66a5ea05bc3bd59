import type { Change, Snapshot } from '../../../feed/index.ts';
import { StoreUnavailableError } from '../../errors.ts';
import { STEPS, type Store, type StoreSteps } from '../store.ts';
import { Chores, type ChoresOptions } from './chores.ts';
import { Gate } from './gate.ts';
import { decodeLogEntry } from './keys.ts';
import { Link, type LinkOptions } from './link.ts';
import type { Reply, ScriptArgument } from './script.ts';
import { Sequencer } from './sequencer.ts';
import { Snapshots } from './snapshots.ts';
import { bytes, CODECS, list, type StepCodec, text } from './steps.ts';

export interface RedisStoreOptions extends Omit<LinkOptions, 'placed'> {
  chores: Omit<ChoresOptions, 'news'>;
  /** Whether others in this process who follow the store by themselves have the change. */
  heard?: (seq: number) => Promise<boolean>;
}

/** Changes that are fetched in one go. */
const PAGE = 1_000;

/** The store on a Redis that several controls share. */
export class RedisStore {
  readonly link: Link;
  readonly snapshots: Snapshots;
  private readonly sequencer: Sequencer;
  private readonly chores: Chores;
  private readonly heard: (seq: number) => Promise<boolean>;
  /** What is on its way is answered well within a command's time; a Redis that is silent fails those who wait at once. */
  private readonly gate = new Gate({ width: 256, limit: 10_000 });
  private isClosed = false;

  constructor(options: RedisStoreOptions) {
    this.link = new Link({ ...options, placed: (seq) => this.sequencer.reset(seq) });
    const ask = async (name: string, args: readonly ScriptArgument[]): Promise<Reply[]> =>
      (await this.link.run(name, args)).slice(1);
    this.snapshots = new Snapshots(this.link.redis, ask, () => this.link.epoch);
    this.sequencer = new Sequencer(
      (seq) => this.ownStep('changesSince', [{ seq, limit: PAGE }]) as Promise<Change[] | 'gap'>,
    );
    this.chores = new Chores(
      { link: this.link, snapshots: this.snapshots, ask, heard: (seq) => this.hear(seq) },
      { ...options.chores, news: options.news },
    );
    this.heard = options.heard ?? (() => Promise.resolve(true));
    this.chores.start();
  }

  /** Whether this process is the one of several that does what one has to do. */
  get doesChores(): boolean {
    return this.chores.isHolder;
  }

  step(name: keyof StoreSteps, step: readonly unknown[]): Promise<unknown> {
    return this.gate.pass(() => this.ownStep(name, step));
  }

  private async ownStep(name: keyof StoreSteps, step: readonly unknown[]): Promise<unknown> {
    const codec = CODECS[name] as StepCodec<never>;
    const args = (codec.encode as (...step: readonly unknown[]) => ScriptArgument[])(...step);
    if (name === 'trimLog') await this.chores.coverBySnapshot(step[0] as number);
    const epoch = this.link.epoch;
    const reply = await this.link.run(name, args);
    const isDone = STEPS[name] === 'write' && text(reply[0]) === 'done';
    if (isDone) await this.tell(list(reply[1]), epoch);
    return codec.decode(reply.slice(isDone ? 2 : 1), ...(step as never));
  }

  snapshot(): Promise<Snapshot> {
    return this.snapshots.take();
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    return this.sequencer.subscribe(listener);
  }

  status(): { pending: number; failed: string | null; seq: number } {
    const { state, reason } = this.link;
    const failed = this.isClosed
      ? 'closed'
      : state === 'up'
        ? null
        : `${state}${reason ? ` (${reason})` : ''}`;
    return { pending: this.gate.size, failed, seq: this.link.seq };
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.chores.stop();
    this.link.close();
  }

  private async tell(told: Reply[], epoch: string): Promise<void> {
    if (epoch !== this.link.epoch) return;
    const first = Number(text(told[0]));
    const changes = list(told[1]).map((change, index) => decodeLogEntry(first + index + 1, bytes(change)));
    this.link.reached(first + changes.length);
    await this.sequencer.offer(changes);
    const isHeard = changes.length === 0 || (await this.heard(first + changes.length));
    if (!isHeard) throw new StoreUnavailableError('the change is made, and has not been heard here yet');
  }

  /** Another control has made changes up to this one, or a new epoch has begun. */
  private hear(seq: number): void {
    this.link.reached(seq);
    this.sequencer.reach(seq).catch(() => {});
  }
}

/** The face that a registry works with. */
export function storeFace(store: RedisStore): Store {
  const steps = Object.fromEntries(
    Object.keys(STEPS).map((name) => [
      name,
      (...step: unknown[]) => store.step(name as keyof StoreSteps, step),
    ]),
  ) as Pick<Store, keyof StoreSteps>;
  return {
    ...steps,
    get epoch() {
      return store.link.epoch;
    },
    snapshot: () => store.snapshot(),
    subscribe: (listener) => store.subscribe(listener),
    status: () => store.status(),
    close: () => store.close(),
    shared: { doesChores: () => store.doesChores },
  };
}
