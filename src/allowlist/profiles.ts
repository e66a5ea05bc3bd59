import type { Profile } from '../feed/index.ts';
import { ProfileLimitReachedError } from './errors.ts';
import { MAX_PROFILE_ID, type ProfileId } from './profile-id.ts';

export interface ProfilesOptions {
  /**
   * Resolves once every reader has finished the batch it was in: from then on none holds an id that the table has lost
   * before the call. Default: at once, for readers in the same thread.
   */
  readonly quiesce?: () => Promise<void>;
  readonly limit?: number;
}

interface Interned {
  readonly id: ProfileId;
  readonly key: string;
  readonly profile: Profile;
  references: number;
}

type InternedListener = (id: ProfileId, profile: Profile) => void;

/** Unused ids are reclaimed while fewer than 1/8 of all ids are free. */
const LOW_SHARE = 1 / 8;

/**
 * Interned profiles by id. Homes with equal choices share a profile; each table entry is one reference.
 * Listeners learn an id before any reader can find it in the table.
 *
 * A reader looks an address up, then uses the row of its id. So the id of an unused profile gets another meaning only
 * after all readers have finished a batch since (as in RCU).
 */
export class Profiles {
  private readonly quiesce: () => Promise<void>;
  private readonly limit: number;
  private readonly byKey = new Map<string, Interned>();
  private readonly byId: (Interned | undefined)[] = [undefined];
  /** Ids without references that a reader may still hold, with the generation in which they lost the last one. */
  private readonly idle = new Map<ProfileId, number>();
  /** Ids without references that no reader holds. They keep their meaning until they are needed. */
  private readonly free = new Set<ProfileId>();
  private generation = 0;
  private isReclaiming = false;
  private readonly listeners = new Set<InternedListener>();

  constructor({ quiesce = () => Promise.resolve(), limit = MAX_PROFILE_ID }: ProfilesOptions = {}) {
    if (limit < 1 || limit > MAX_PROFILE_ID) throw new RangeError(`limit is 1 to ${MAX_PROFILE_ID}`);
    this.quiesce = quiesce;
    this.limit = limit;
  }

  /** Profiles with references. */
  get size(): number {
    return this.byKey.size - this.idle.size - this.free.size;
  }

  /** True if the profile has an id, in use or not yet reclaimed. */
  has(profile: Profile): boolean {
    return this.byKey.has(keyOf(profile));
  }

  /**
   * Returns the profile's id with one more reference. Equal region, choices and families give the same id, in
   * any order of the services.
   *
   * @throws ProfileLimitReachedError
   */
  intern(profile: Profile): ProfileId {
    const key = keyOf(profile);
    const known = this.byKey.get(key);
    if (known) {
      this.retain(known.id, 1);
      return known.id;
    }
    const id = this.freeId();
    const interned: Interned = { id, key, profile: frozenCopy(profile), references: 1 };
    this.byKey.set(key, interned);
    this.byId[id] = interned;
    for (const listener of this.listeners) listener(id, interned.profile);
    return id;
  }

  /** @throws RangeError for an id that was never given */
  get(id: ProfileId): Profile {
    return this.interned(id).profile;
  }

  retain(id: ProfileId, count = 1): void {
    if (count === 0) return;
    const interned = this.interned(id);
    if (interned.references === 0 && !this.idle.delete(id)) this.free.delete(id);
    interned.references += count;
  }

  /** Drops references. Without any, the id keeps its meaning until another profile needs it. */
  release(id: ProfileId, count = 1): void {
    if (count === 0) return;
    const interned = this.interned(id);
    if (count > interned.references) throw new RangeError('more references released than retained');
    interned.references -= count;
    if (interned.references > 0) return;
    this.idle.set(id, this.generation);
    void this.reclaim();
  }

  /**
   * Calls the listener for every known id now, and for each new one.
   *
   * @returns a function that unsubscribes
   */
  onInterned(listener: InternedListener): () => void {
    for (const interned of this.byId) {
      if (interned) listener(interned.id, interned.profile);
    }
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private interned(id: ProfileId): Interned {
    const interned = this.byId[id];
    if (!interned) throw new RangeError('unknown profile id');
    return interned;
  }

  private get available(): number {
    return this.limit + 1 - this.byId.length + this.free.size;
  }

  /** A fresh id, else the one free for longest. */
  private freeId(): ProfileId {
    if (this.byId.length <= this.limit) return this.byId.length as ProfileId;
    const [id] = this.free;
    if (id === undefined) throw new ProfileLimitReachedError(this.limit);
    this.byKey.delete(this.interned(id).key);
    this.free.delete(id);
    void this.reclaim();
    return id;
  }

  /** Frees the ids that are idle now, once all readers have finished a batch. Repeats while ids are short. */
  private async reclaim(): Promise<void> {
    if (this.isReclaiming) return;
    this.isReclaiming = true;
    try {
      while (this.idle.size > 0 && this.available < this.limit * LOW_SHARE) {
        const through = this.generation++;
        await this.quiesce();
        for (const [id, generation] of this.idle) {
          if (generation > through) continue;
          this.idle.delete(id);
          this.free.add(id);
        }
      }
    } finally {
      this.isReclaiming = false;
    }
  }
}

/** Feeds mostly hand out the same object for the same profile. */
const keys = new WeakMap<Profile, string>();

function keyOf(profile: Profile): string {
  const known = keys.get(profile);
  if (known !== undefined) return known;
  const { region, services, ipv4, ipv6, told = false } = profile;
  const choices = Object.entries(services).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = JSON.stringify([region, ipv4, ipv6, told, choices]);
  keys.set(profile, key);
  return key;
}

function frozenCopy({ region, services, ipv4, ipv6, told }: Profile): Profile {
  return Object.freeze({
    region,
    services: Object.freeze({ ...services }),
    ipv4,
    ipv6,
    ...(told && { told }),
  });
}
