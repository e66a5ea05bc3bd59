import { StoreUnavailableError } from '../errors.ts';
import { ChangeListeners } from './change-listeners.ts';
import { type Store, type StoreSteps, storeCalls } from './store.ts';
import type { StorePeer } from './store-peer.ts';

/** Longest time that calls wait for the store while it moves between processes. */
const HOLD_MS = 10_000;

/**
 * A store that can move to another process and back while its callers keep it: calls wait meanwhile, and are then
 * answered by the store, or through the process that has it.
 */
export class MovableStore {
  /** True if several processes may have the store open (Redis). */
  readonly isShared: boolean;
  /** The store for its callers. */
  readonly face: Store;
  private readonly openOwn: () => Promise<Store>;
  private readonly listeners = new ChangeListeners();
  private readonly lostListeners = new Set<() => void>();
  private store: Store;
  private unsubscribe: () => void = () => {};
  private endLost: () => void = () => {};
  private isOwn: boolean;
  private held: PromiseWithResolvers<void> | null = null;
  private holdTimer: NodeJS.Timeout | null = null;
  /** The last change that callers have heard of. */
  private lastSeq = 0;
  private inFlight = 0;
  private onIdle: () => void = () => {};

  private constructor(store: Store, isOwn: boolean, isShared: boolean, openOwn: () => Promise<Store>) {
    this.store = store;
    this.isOwn = isOwn;
    this.isShared = isShared;
    this.openOwn = openOwn;
    this.face = this.makeFace();
    this.listen();
  }

  /** Opens the store. @throws what `openOwn` throws */
  static async open(isShared: boolean, openOwn: () => Promise<Store>): Promise<MovableStore> {
    const store = new MovableStore(await openOwn(), true, isShared, openOwn);
    if (!isShared) await store.begin();
    return store;
  }

  /** Uses another process's store, until `reopen` opens it here. */
  static async borrow(
    peer: StorePeer,
    isShared: boolean,
    openOwn: () => Promise<Store>,
  ): Promise<MovableStore> {
    const store = new MovableStore(faceOf(peer), false, isShared, openOwn);
    store.endLost = peer.onLost(() => store.lose());
    await store.begin();
    return store;
  }

  /** Makes a step for another process. */
  call(name: keyof StoreSteps, step: readonly unknown[]): Promise<unknown> {
    return this.run((store) => (store[name] as (...step: readonly unknown[]) => Promise<unknown>)(...step));
  }

  /** Makes new calls wait, up to 10 s. Resolves when those in flight are answered. */
  async hold(): Promise<void> {
    if (this.held === null) this.holdNew();
    if (this.inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.onIdle = resolve;
    });
  }

  /** Answers the calls that wait. */
  resume(): void {
    if (this.holdTimer !== null) clearTimeout(this.holdTimer);
    this.held?.resolve();
    this.held = null;
  }

  /** Holds new calls, finishes those in flight, and closes the store, so that another process can open it. */
  async release(): Promise<void> {
    await this.hold();
    if (!this.isOwn) return;
    this.isOwn = false;
    this.unsubscribe();
    await this.store.close();
  }

  /** Opens the store in this process. Calls go on waiting until `resume`. @throws what opening it throws */
  async reopen(): Promise<void> {
    await this.hold();
    const store = await this.openOwn();
    this.use(store);
    this.isOwn = true;
    this.endLost();
    if (this.isShared) return;
    // A change that this process has not heard of: load the allowlist again.
    const { seq } = await store.state();
    if (seq !== this.lastSeq) this.lose();
    this.lastSeq = seq;
  }

  /** Answers calls through another process from now on. */
  follow(peer: StorePeer): void {
    this.use(faceOf(peer));
    this.isOwn = false;
    this.endLost();
    this.endLost = peer.onLost(() => this.lose());
    this.resume();
  }

  /** Calls the listener when changes may have been missed. Returns the end. */
  onLost(listener: () => void): () => void {
    this.lostListeners.add(listener);
    return () => this.lostListeners.delete(listener);
  }

  private holdNew(): void {
    const held = Promise.withResolvers<void>();
    held.promise.catch(() => {});
    this.held = held;
    this.holdTimer = setTimeout(() => {
      held.reject(new StoreUnavailableError('the store is moving to another process'));
    }, HOLD_MS).unref();
  }

  private async begin(): Promise<void> {
    const { seq } = await this.store.state();
    this.lastSeq = Math.max(this.lastSeq, seq);
  }

  private use(store: Store): void {
    this.unsubscribe();
    this.store = store;
    this.listen();
  }

  private listen(): void {
    this.unsubscribe = this.store.subscribe((changes) => {
      this.lastSeq = changes[changes.length - 1]!.seq;
      this.listeners.emit(changes);
    });
  }

  private lose(): void {
    for (const listener of this.lostListeners) listener();
  }

  private async run<Value>(call: (store: Store) => Promise<Value>): Promise<Value> {
    while (this.held !== null) await this.held.promise;
    this.inFlight++;
    try {
      return await call(this.store);
    } finally {
      this.inFlight--;
      if (this.inFlight === 0) this.onIdle();
    }
  }

  private makeFace(): Store {
    const self = this;
    return {
      ...storeCalls((name, step) => this.call(name, step)),
      get epoch() {
        return self.store.epoch;
      },
      snapshot: () => this.run((store) => store.snapshot()),
      subscribe: (listener) => this.listeners.subscribe(listener),
      status: () => this.store.status(),
      shared: {
        isLeader: () => this.isOwn && (this.store.shared?.isLeader() ?? true),
        snapshotStatus: () => this.store.shared?.snapshotStatus?.() ?? null,
      },
      close: async () => {
        this.unsubscribe();
        this.endLost();
        this.resume();
        await this.store.close();
      },
    };
  }
}

const NOT_LEADER = { isLeader: () => false };

function faceOf(peer: StorePeer): Store {
  return {
    ...storeCalls((name, step) => peer.call(name, step)),
    get epoch() {
      return peer.epoch;
    },
    snapshot: () => peer.snapshot(),
    subscribe: (listener) => peer.subscribe(listener),
    status: () => ({ pending: 0, failed: null }),
    shared: NOT_LEADER,
    close: async () => {},
  };
}
