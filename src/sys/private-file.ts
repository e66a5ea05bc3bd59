import { fstatSync } from 'node:fs';

const OTHERS_MAY_WRITE = 0o022;

/** Another user owns a file that this process trusts, or may write it. */
export class FileNotPrivateError extends Error {
  readonly code = 'file_not_private';
  constructor(path: string, found: string, remedy: string) {
    super(`${path}: ${found}: ${remedy}`);
    this.name = 'FileNotPrivateError';
  }
}

/**
 * Checks an open file or directory by ssh's rule: this user or root owns it, and neither group nor others may write it.
 * Takes the descriptor that is read, so that no other file can take its place in between.
 *
 * @throws FileNotPrivateError
 */
export function assertPrivate(descriptor: number, path: string): void {
  const { uid, mode } = fstatSync(descriptor);
  const user = process.geteuid?.() ?? uid;
  if (uid !== user && uid !== 0) {
    throw new FileNotPrivateError(path, `user ${uid} owns it`, `expected user ${user} or root`);
  }
  if ((mode & OTHERS_MAY_WRITE) !== 0) {
    const found = `its mode ${(mode & 0o7777).toString(8).padStart(4, '0')} lets others write it`;
    throw new FileNotPrivateError(path, found, 'run chmod go-w');
  }
}
