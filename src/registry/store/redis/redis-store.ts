import type { Change, Snapshot } from '../../../feed/index.ts';
import { notAppliedError } from '../../errors.ts';
import {
  type SnapshotStatus,
  STEPS,
  type Store,
  type StoreStatus,
  type StoreSteps,
  storeCalls,
} from '../store.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import type { ErasedIds } from './erased-ids.ts';
import { decodeLogEntry } from './keys.ts';
import { Leader, type LeaderOptions } from './leader.ts';
import { Replication } from './replication.ts';
import { bytes, list, text } from './reply.ts';
import type { Reply, StepArguments } from './script.ts';
import { Sequencer } from './sequencer.ts';
import { Snapshots } from './snapshots.ts';
import { CODECS, type StepCodec } from './steps.ts';
import { StoreLink, type StoreLinkOptions } from './store-link.ts';

export interface RedisStoreOptions extends Omit<StoreLinkOptions, 'onPlaced'> {
  leader: Omit<LeaderOptions, 'events'>;
  /** Replicas that must confirm a write before its call succeeds. Default 0. */
  waitReplicas?: number;
  /** Keeps the ids of what was erased, so that it never comes back by adopting older data. */
  erasedIds?: Pick<ErasedIds, 'note'>;
  /** Resolves to true once this process's own allowlist has the change: read-your-writes. */
  readYourWrites?: (from: number, to: number) => Promise<boolean>;
}

/** Steps besides deleteAccount that erase what their id names. */
const ERASING: ReadonlySet<keyof StoreSteps> = new Set([
  'removeRegistration',
  'removeUpdateToken',
  'removeHostname',
  'removePrivateName',
] as const);

/** Changes per page. */
const PAGE = 1_000;

/** The store on a Redis that several controls share. */
export class RedisStore {
  readonly link: StoreLink;
  readonly snapshots: Snapshots;
  private readonly sequencer: Sequencer;
  private readonly replication: Replication;
  private readonly leader: Leader;
  private readonly erasedIds: RedisStoreOptions['erasedIds'];
  private readonly readYourWrites: (from: number, to: number) => Promise<boolean>;
  /** 256 calls in flight are answered within one command's time; when Redis is silent, the waiting ones fail at once. */
  private readonly calls = new ConcurrencyLimit({ width: 256, limit: 10_000 });
  private isClosed = false;

  constructor(options: RedisStoreOptions) {
    this.link = new StoreLink({ ...options, onPlaced: (seq) => this.sequencer.reset(seq) });
    this.replication = new Replication(this.link, options.waitReplicas ?? 0);
    const ask = async (name: string, args: StepArguments): Promise<Reply> =>
      (await this.link.run(name, args))[1];
    this.snapshots = new Snapshots(this.link.redis, ask, () => this.link.epoch);
    this.sequencer = new Sequencer(
      (seq) => this.runStep('changesSince', [{ seq, limit: PAGE }]) as Promise<Change[] | 'gap'>,
    );
    this.erasedIds = options.erasedIds;
    this.leader = new Leader(
      {
        link: this.link,
        snapshots: this.snapshots,
        ask,
        confirms: this.replication.isOn,
        reached: (seq) => this.follow(seq),
      },
      { ...options.leader, events: options.events },
    );
    this.readYourWrites = options.readYourWrites ?? (() => Promise.resolve(true));
    this.leader.start();
  }

  get isLeader(): boolean {
    return this.leader.isLeader;
  }

  get snapshotStatus(): SnapshotStatus | null {
    const { behindMs } = this.leader;
    return behindMs === null ? null : { bytes: this.snapshots.packedBytes, behindMs };
  }

  step(name: keyof StoreSteps, step: readonly unknown[]): Promise<unknown> {
    return this.calls.run(() => this.runStep(name, step));
  }

  snapshot(): Promise<Snapshot> {
    return this.snapshots.take();
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    return this.sequencer.subscribe(listener);
  }

  status(): StoreStatus {
    return { pending: this.calls.size, failed: this.failure(), seq: this.link.seq };
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.leader.stop();
    this.link.close();
  }

  private async runStep(name: keyof StoreSteps, step: readonly unknown[]): Promise<unknown> {
    const codec = CODECS[name] as StepCodec<never>;
    const args = (codec.encode as (...step: readonly unknown[]) => StepArguments)(...step);
    if (name === 'trimLog') await this.leader.coverBySnapshot(step[0] as number);
    const { epoch, connections } = this.link;
    const reply = await this.link.run(name, args);
    const isDone = STEPS[name] === 'write' && text(reply[0]) === 'done';
    if (isDone) {
      if (name === 'eraseLapsed') for (const id of list(reply[2])) this.erasedIds?.note(text(id));
      this.noteErased(name, step[0]);
      await this.emit(list(reply[1]), epoch, connections);
    } else if (STEPS[name] === 'write') {
      // A repeated call that finds its work done must not succeed before the replicas have it.
      await this.replication.confirm(connections);
    }
    return codec.decode(reply[isDone ? 2 : 1], ...(step as never));
  }

  private noteErased(name: keyof StoreSteps, step: unknown): void {
    if (name === 'deleteAccount') this.erasedIds?.note(step as string);
    else if (ERASING.has(name)) this.erasedIds?.note((step as { id: string }).id);
  }

  private failure(): string | null {
    if (this.isClosed) return 'closed';
    const { state, reason } = this.link;
    if (state === 'up') return null;
    return reason === null ? state : `${state} (${reason})`;
  }

  /** @throws StoreUnavailableError if replicas or this process's allowlist do not get the change in time */
  private async emit(done: Reply[], epoch: string, connection: number): Promise<void> {
    if (epoch !== this.link.epoch) return this.replication.confirm(connection);
    const first = Number(text(done[0]));
    const changes = list(done[1]).map((change, index) => decodeLogEntry(first + index + 1, bytes(change)));
    const last = first + changes.length;
    if (this.replication.isOn) this.link.saw(last);
    else this.link.reached(last);
    await Promise.all([this.sequencer.offer(changes), this.replication.confirm(connection, last)]);
    if (changes.length === 0 || (await this.readYourWrites(first + 1, last))) return;
    throw notAppliedError();
  }

  /** Follows changes that other controls made. */
  private follow(seq: number): void {
    this.sequencer.reach(seq).catch(() => {});
    if (!this.replication.isOn) this.link.reached(seq);
    else {
      this.link.saw(seq);
      this.replication.confirm(this.link.connections, seq).catch(() => {});
    }
  }
}

/** The store as a registry uses it. */
export function storeFace(store: RedisStore): Store {
  return {
    ...storeCalls((name, step) => store.step(name, step)),
    get epoch() {
      return store.link.epoch;
    },
    snapshot: () => store.snapshot(),
    subscribe: (listener) => store.subscribe(listener),
    status: () => store.status(),
    close: () => store.close(),
    shared: { isLeader: () => store.isLeader, snapshotStatus: () => store.snapshotStatus },
  };
}
