import type { Profile } from '../feed/index.ts';
import { ProfileLimitReachedError } from './errors.ts';
import { MAX_PROFILE_ID, type ProfileId } from './profile-id.ts';

export interface ProfilesOptions {
  /** Monotonic clock, in ms. */
  readonly now: () => number;
  /**
   * Time before the id of an unused profile is given to another: longer than any reader holds an id after
   * looking it up.
   */
  readonly graceMs?: number;
  readonly limit?: number;
}

interface Interned {
  readonly id: ProfileId;
  readonly key: string;
  readonly profile: Profile;
  references: number;
}

type InternedListener = (id: ProfileId, profile: Profile) => void;

const DEFAULT_GRACE_MS = 60_000;

/**
 * Interned profiles by id. Homes with equal choices share a profile; each table entry is one reference.
 * Listeners learn an id before any reader can find it in the table.
 */
export class Profiles {
  private readonly now: () => number;
  private readonly graceMs: number;
  private readonly limit: number;
  private readonly byKey = new Map<string, Interned>();
  private readonly byId: (Interned | undefined)[] = [undefined];
  /** Ids without references and when they lost the last one, oldest first. */
  private readonly idleSinceMs = new Map<ProfileId, number>();
  private readonly listeners = new Set<InternedListener>();

  constructor({ now, graceMs = DEFAULT_GRACE_MS, limit = MAX_PROFILE_ID }: ProfilesOptions) {
    if (limit < 1 || limit > MAX_PROFILE_ID) throw new RangeError(`limit is 1 to ${MAX_PROFILE_ID}`);
    this.now = now;
    this.graceMs = graceMs;
    this.limit = limit;
  }

  /** Profiles with references. */
  get size(): number {
    return this.byKey.size - this.idleSinceMs.size;
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
    if (interned.references === 0) this.idleSinceMs.delete(id);
    interned.references += count;
  }

  /**
   * Drops references. Without any, the id keeps its meaning for the grace time and until another profile
   * needs it.
   */
  release(id: ProfileId, count = 1): void {
    if (count === 0) return;
    const interned = this.interned(id);
    if (count > interned.references) throw new RangeError('more references released than retained');
    interned.references -= count;
    if (interned.references === 0) this.idleSinceMs.set(id, this.now());
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

  /** A fresh id, else the one unused for longest. */
  private freeId(): ProfileId {
    if (this.byId.length <= this.limit) return this.byId.length as ProfileId;
    const oldest = this.idleSinceMs.entries().next().value;
    if (!oldest || this.now() - oldest[1] < this.graceMs) throw new ProfileLimitReachedError(this.limit);
    const id = oldest[0];
    this.byKey.delete(this.interned(id).key);
    this.idleSinceMs.delete(id);
    return id;
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
