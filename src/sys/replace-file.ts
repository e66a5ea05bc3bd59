import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';

export interface ReplaceFileOptions {
  /** Mode of the new file, less the umask. Default 0600. */
  readonly mode?: number;
  /** False: a crash of the system may leave an empty or cut file. Default true. */
  readonly sync?: boolean;
}

/**
 * Writes a file aside, as PATH.new, and renames it: readers see the old one or the new one, whole. A file needs one writer.
 * @throws errors of the file system; the old file stays
 */
export function replaceFile(
  path: string,
  data: string | Uint8Array,
  { mode = 0o600, sync = true }: ReplaceFileOptions = {},
): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  // Never through a link that somebody put there.
  const descriptor = openSync(draft, 'wx', mode);
  try {
    try {
      writeFileSync(descriptor, data);
      if (sync) fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
