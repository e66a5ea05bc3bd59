const PATIENCE_MS = 5_000;

/** Polls until `done` holds. */
export async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const startedAt = Date.now(); !(await done()); ) {
    if (Date.now() - startedAt > PATIENCE_MS) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
