import { closeSync, openSync, readFileSync } from 'node:fs';
import { assertPrivate } from '../sys/index.ts';

/** Reads a secret's file. @throws FileNotPrivateError if another user owns it or may write it; system errors */
export function readPrivateText(path: string): string {
  const descriptor = openSync(path, 'r');
  try {
    assertPrivate(descriptor, path);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Refuses a directory that another user owns or may write; one that is missing is created later. */
export function checkDirectory(path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return;
  }
  try {
    assertPrivate(descriptor, path);
  } finally {
    closeSync(descriptor);
  }
}
