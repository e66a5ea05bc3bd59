import type { KeyObject } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../../sys/index.ts';
import { type Bundle, isVersion, openBundle } from './bundle.ts';
import { BundleError } from './bundle-error.ts';

const STATE_FILE = 'state.json';
const SUFFIX = '.bundle';

/** The version that is served, and what may replace it. */
export interface BundleState {
  /** Null until a bundle was taken. */
  readonly current: number | null;
  /** Served before `current`, and kept for a rollback. */
  readonly previous: number | null;
  /** Highest version ever taken: a lower one is never taken from the network. */
  readonly highest: number;
  /** Null: the newest one is taken. */
  readonly pinned: number | null;
}

const NOTHING: BundleState = { current: null, previous: null, highest: 0, pinned: null };

/** A fetched bundle, compared with what is kept. */
export type Candidate =
  | { readonly outcome: 'new'; readonly bundle: Bundle }
  | { readonly outcome: 'unchanged' | 'pinned'; readonly bundle: null };

/** Bundles on disk: the current one, the previous one, and which of them is pinned. */
export class BundleStore {
  private readonly directory: string;
  private readonly publicKey: KeyObject;

  /** @param directory is made when the first bundle is taken */
  constructor(directory: string, publicKey: KeyObject) {
    this.directory = directory;
    this.publicKey = publicKey;
  }

  /** @throws BundleError `bundle_malformed` for a damaged state file; errors of the file system */
  get state(): BundleState {
    const text = readIfThere(join(this.directory, STATE_FILE));
    return text === null ? NOTHING : parseState(text.toString('utf8'));
  }

  /** Versions on disk, the newest first. */
  get kept(): number[] {
    const names = namesIn(this.directory).filter((name) => name.endsWith(SUFFIX));
    const versions = names.map((name) => Number(name.slice(0, -SUFFIX.length))).filter(isVersion);
    return versions.sort((a, b) => b - a);
  }

  /** The current bundle; null if none was taken yet. @throws BundleError if its file is damaged or missing */
  readCurrent(): Bundle | null {
    const { current } = this.state;
    return current === null ? null : openBundle(this.readVersion(current), this.publicKey);
  }

  /**
   * Checks bytes from the network against the key, the version and the pin.
   * @throws BundleError: what was fetched must not be used
   */
  examine(bytes: Buffer): Candidate {
    const bundle = openBundle(bytes, this.publicKey);
    const { current, highest, pinned } = this.state;
    const { version } = bundle;
    if (version === current) {
      if (bytes.equals(this.readVersion(version))) return { outcome: 'unchanged', bundle: null };
      throw new BundleError(
        'bundle_malformed',
        `found another content for version ${version}, which is in use`,
      );
    }
    if (pinned !== null && version !== pinned) return { outcome: 'pinned', bundle: null };
    if (pinned === null && version < highest) {
      const message = `found version ${version}, expected ${highest} or later: ${highest} was taken before`;
      throw new BundleError('bundle_too_old', message);
    }
    return { outcome: 'new', bundle };
  }

  /** Makes a bundle that `examine` called new the current one. Whole or not at all. */
  take(bytes: Buffer, { version }: Bundle): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    replaceFile(this.pathOf(version), bytes);
    const { current, highest, pinned } = this.state;
    this.write({ current: version, previous: current, highest: Math.max(highest, version), pinned });
    this.removeOthers();
  }

  /**
   * Serves one version from now on, or with null the newest that the next fetch brings.
   * @throws BundleError `bundle_unknown` if the version is not on disk
   */
  pin(version: number | null): void {
    const state = this.state;
    if (version === null) {
      this.write({ ...state, pinned: null });
      return;
    }
    const { kept } = this;
    if (!kept.includes(version)) {
      const list = kept.length === 0 ? 'none' : kept.join(', ');
      throw new BundleError('bundle_unknown', `version ${version} is not on this host; kept: ${list}`);
    }
    openBundle(this.readVersion(version), this.publicKey);
    const previous = version === state.current ? state.previous : state.current;
    this.write({ ...state, current: version, previous, pinned: version });
  }

  /** Pins the version that was served before. @returns it. @throws BundleError `bundle_unknown` if there is none */
  rollback(): number {
    const { previous } = this.state;
    if (previous === null) throw new BundleError('bundle_unknown', 'no earlier version is on this host');
    this.pin(previous);
    return previous;
  }

  private readVersion(version: number): Buffer {
    const bytes = readIfThere(this.pathOf(version));
    if (bytes === null) throw new BundleError('bundle_unknown', `${this.pathOf(version)} is missing`);
    return bytes;
  }

  private pathOf(version: number): string {
    return join(this.directory, `${version}${SUFFIX}`);
  }

  private write(state: BundleState): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    replaceFile(join(this.directory, STATE_FILE), `${JSON.stringify(state)}\n`);
  }

  private removeOthers(): void {
    const { current, previous } = this.state;
    for (const version of this.kept) {
      if (version !== current && version !== previous) rmSync(this.pathOf(version), { force: true });
    }
  }
}

function parseState(text: string): BundleState {
  try {
    const { current, previous, highest, pinned } = JSON.parse(text) as Record<string, unknown>;
    const isOptional = (value: unknown): value is number | null => value === null || isVersion(value);
    const isRight = isOptional(current) && isOptional(previous) && isOptional(pinned);
    if (isRight && Number.isSafeInteger(highest))
      return { current, previous, highest: highest as number, pinned };
  } catch {
    // Reported below.
  }
  throw new BundleError('bundle_malformed', `${STATE_FILE} of the catalog's bundles is damaged; remove it`);
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
