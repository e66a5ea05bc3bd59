import { type KeyObject, sign, verify } from 'node:crypto';
import type { ServiceFile } from '../file-reader.ts';
import { BundleError } from './bundle-error.ts';

/** Upper bound of a bundle; the shipped catalog takes about 100 KB. */
export const MAX_BUNDLE_BYTES = 8 * 1024 * 1024;
const MAX_FILES = 4096;
const PATH = /^[a-z0-9][a-z0-9._-]{0,99}\.yaml$/;
const NAME = 'mediastreamer-catalog';
const FORMAT = 1;
const SIGNATURE_BYTES = 64;
const LONGEST_HEAD = 200;
const UNSIGNED = '-';

/** A catalog as one file: its service files and a version that only grows. */
export interface Bundle {
  /** From 1 to 2^53 - 1. */
  readonly version: number;
  /** Service files by their names, such as `netflix.yaml`. */
  readonly files: readonly ServiceFile[];
}

/**
 * Formats a bundle without a signature. Its first line is `mediastreamer-catalog 1 SIGNATURE`, where SIGNATURE is `-` or
 * base64; the rest is JSON. The signature covers `mediastreamer-catalog 1`, a newline and the JSON.
 */
export function formatBundle({ version, files }: Bundle): Buffer {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const content = JSON.stringify({
    version,
    files: Object.fromEntries(sorted.map((file) => [file.path, file.text])),
  });
  return withSignature(UNSIGNED, Buffer.from(content));
}

/** Signs a bundle, whether it has a signature or not. @throws BundleError for a malformed one */
export function signBundle(bytes: Buffer, privateKey: KeyObject): Buffer {
  const { content } = split(bytes);
  parseContent(content);
  return withSignature(sign(null, signedPart(content), privateKey).toString('base64'), content);
}

/**
 * Checks a bundle's signature, then reads it. Nothing but its first line is read before the signature is known to be right.
 * @throws BundleError
 */
export function openBundle(bytes: Buffer, publicKey: KeyObject): Bundle {
  const { signature, content } = split(bytes);
  if (signature === UNSIGNED) throw new BundleError('bad_signature', 'found a bundle without a signature');
  const decoded = Buffer.from(signature, 'base64');
  const isCanonical = decoded.length === SIGNATURE_BYTES && decoded.toString('base64') === signature;
  const isRight = isCanonical && verify(null, signedPart(content), publicKey, decoded);
  if (!isRight) throw new BundleError('bad_signature', 'the signature is not one of this public key');
  return parseContent(content);
}

/** Reads a bundle without looking at its signature: for one's own files. @throws BundleError */
export function readUncheckedBundle(bytes: Buffer): Bundle {
  return parseContent(split(bytes).content);
}

function signedPart(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${NAME} ${FORMAT}\n`), content]);
}

function withSignature(signature: string, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${NAME} ${FORMAT} ${signature}\n`), content]);
}

function split(bytes: Buffer): { signature: string; content: Buffer } {
  if (bytes.length > MAX_BUNDLE_BYTES) {
    throw new BundleError(
      'bundle_too_large',
      `found ${bytes.length} bytes, expected ${MAX_BUNDLE_BYTES} at most`,
    );
  }
  const end = bytes.subarray(0, LONGEST_HEAD).indexOf('\n');
  const [name, format, signature, ...more] = bytes.toString('latin1', 0, Math.max(end, 0)).split(' ');
  if (name !== NAME || signature === undefined || more.length > 0) {
    throw malformed(`a first line other than "${NAME} ${FORMAT} SIGNATURE"`);
  }
  if (format !== String(FORMAT)) throw malformed(`format ${format}; this release reads ${FORMAT}`);
  return { signature, content: bytes.subarray(end + 1) };
}

function parseContent(content: Buffer): Bundle {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch {
    throw malformed('text behind the first line that is not JSON: the file may be cut');
  }
  const { version, files } = (value ?? {}) as Record<string, unknown>;
  if (!isVersion(version)) throw malformed('a version other than a whole number from 1');
  if (typeof files !== 'object' || files === null || Array.isArray(files)) throw malformed('no files');
  const entries = Object.entries(files as Record<string, unknown>);
  if (entries.length === 0 || entries.length > MAX_FILES) throw malformed(`${entries.length} files`);
  return {
    version,
    files: entries.map(([path, text]) => {
      if (!PATH.test(path) || typeof text !== 'string')
        throw malformed('a file that is not NAME.yaml with text');
      return { path, text };
    }),
  };
}

/** True for a number that a bundle may have as its version. */
export function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function malformed(found: string): BundleError {
  return new BundleError('bundle_malformed', `found ${found}`);
}
