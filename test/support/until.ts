const PATIENCE_MS = 5_000;

/** Waits until `done` holds, for a condition that nothing announces. */
export async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const startedAt = Date.now(); !(await done()); ) {
    if (Date.now() - startedAt > PATIENCE_MS) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
