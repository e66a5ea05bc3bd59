import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BundleStore,
  formatBundle,
  formatPublicKey,
  generateBundleKeys,
  openBundle,
  parsePublicKey,
  readPrivateKey,
  signBundle,
} from '../../../src/catalog/bundle/index.ts';

const KEYS = generateBundleKeys();
const PUBLIC = parsePublicKey(KEYS.publicKey)!;
const FILES = [{ path: 'films.yaml', text: 'service: films\n' }];

function signed(version: number, files = FILES, keys = KEYS): Buffer {
  return signBundle(formatBundle({ version, files }), readPrivateKey(keys.privateKey));
}

describe('a bundle', () => {
  it('is read as it was built', () => {
    expect(openBundle(signed(7), PUBLIC)).toEqual({ version: 7, files: FILES });
  });

  it('is the same, byte for byte, in whatever order its files come', () => {
    const more = [...FILES, { path: 'a.yaml', text: 'service: a\n' }];
    expect(signed(7, more)).toEqual(signed(7, [...more].reverse()));
  });

  it('is refused when one bit of it differs, wherever that is', () => {
    const bytes = signed(7);
    for (let at = 0; at < bytes.length; at++) {
      const bent = Buffer.from(bytes);
      bent[at]! ^= 1;
      expect(() => openBundle(bent, PUBLIC), `byte ${at}`).toThrow();
    }
  });

  it.each([
    ['of another key', signed(7, FILES, generateBundleKeys()), 'bad_signature'],
    ['without a signature', formatBundle({ version: 7, files: FILES }), 'bad_signature'],
    ['cut in the middle', signed(7).subarray(0, -20), 'bad_signature'],
    ['empty', Buffer.alloc(0), 'bundle_malformed'],
    ['that is a web page', Buffer.from('<html>not found</html>\n'), 'bundle_malformed'],
    ['over 8 MiB', Buffer.alloc(8 * 1024 * 1024 + 1), 'bundle_too_large'],
  ])('%s is refused', (_, bytes, code) => {
    expect(() => openBundle(bytes, PUBLIC)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['a path that leaves its folder', { version: 1, files: { '../x.yaml': '' } }],
    ['no version', { files: { 'a.yaml': '' } }],
    ['version 0', { version: 0, files: { 'a.yaml': '' } }],
    ['no file', { version: 1, files: {} }],
    ['a file that is not text', { version: 1, files: { 'a.yaml': 1 } }],
  ])('with %s cannot be signed', (_, content) => {
    const bytes = Buffer.from(`mediastreamer-catalog 1 -\n${JSON.stringify(content)}`);
    const sign = () => signBundle(bytes, readPrivateKey(KEYS.privateKey));
    expect(sign).toThrow(expect.objectContaining({ code: 'bundle_malformed' }));
  });
});

describe('keys', () => {
  it('are told apart: only ed25519 signs', () => {
    const { privateKey } = generateKeyPairSync('x25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    expect(() => readPrivateKey(pem)).toThrow(expect.objectContaining({ code: 'bad_key' }));
    expect(() => readPrivateKey('x')).toThrow(expect.objectContaining({ code: 'bad_key' }));
  });

  it('have a public half of 44 characters', () => {
    expect(formatPublicKey(readPrivateKey(KEYS.privateKey))).toBe(KEYS.publicKey);
    expect(KEYS.publicKey).toMatch(/^.{43}=$/);
    expect(parsePublicKey(KEYS.publicKey.slice(1))).toBeNull();
  });
});

describe('bundles on disk', () => {
  let folder: string;
  let store: BundleStore;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bundles-'));
    store = new BundleStore(join(folder, 'catalog'), PUBLIC);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function take(version: number, files = FILES): void {
    const bytes = signed(version, files);
    const candidate = store.examine(bytes);
    if (candidate.outcome === 'new') store.take(bytes, candidate.bundle);
  }

  it('are none at first', () => {
    expect(store.readCurrent()).toBeNull();
    expect(store.state.current).toBeNull();
  });

  it('grow, and the current and the previous one are kept', () => {
    for (const version of [1, 2, 3]) take(version);
    expect(store.readCurrent()!.version).toBe(3);
    expect(store.kept).toEqual([3, 2]);
    expect(store.examine(signed(3)).outcome).toBe('unchanged');
  });

  it('never go back when somebody replays an old one', () => {
    take(2);
    expect(() => store.examine(signed(1))).toThrow(expect.objectContaining({ code: 'bundle_too_old' }));
  });

  it('have one content for each version', () => {
    take(2);
    const other = signed(2, [{ path: 'other.yaml', text: 'service: other\n' }]);
    expect(() => store.examine(other)).toThrow(expect.objectContaining({ code: 'bundle_malformed' }));
  });

  it('stay at a pinned version until it is unpinned, and then take the newest', () => {
    take(1);
    take(2);
    expect(store.rollback()).toBe(1);
    expect(store.readCurrent()!.version).toBe(1);
    expect(store.examine(signed(2)).outcome).toBe('pinned');
    expect(store.examine(signed(3)).outcome).toBe('pinned');
    store.pin(null);
    expect(store.examine(signed(2)).outcome).toBe('new');
    take(3);
    expect(store.state).toEqual({ current: 3, previous: 1, highest: 3, pinned: null });
  });

  it('are not pinned to a version that is not there', () => {
    take(1);
    expect(() => store.pin(9)).toThrow('version 9 is not on this host; kept: 1');
    expect(() => store.rollback()).toThrow(expect.objectContaining({ code: 'bundle_unknown' }));
  });

  it('are checked again when they are read: a damaged file is an error', () => {
    take(1);
    writeFileSync(join(folder, 'catalog/1.bundle'), signed(1).subarray(0, -9));
    expect(() => store.readCurrent()).toThrow(expect.objectContaining({ code: 'bad_signature' }));
  });
});
