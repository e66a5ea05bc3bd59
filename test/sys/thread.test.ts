import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** Starts threads from a process of its own, because the test runner's loader would interfere. */
describe('a thread', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'thread-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function start(entry: string): unknown {
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(directory, 'entry.ts'), entry);
    writeFileSync(
      join(directory, 'main.ts'),
      `import { startThread } from ${JSON.stringify(join(ROOT, 'src/sys/thread.ts'))};
const entry = new URL(${JSON.stringify(pathToFileURL(join(directory, 'entry.ts')).href)});
const thread = startThread(entry, { name: 'probe', workerData: { n: 5 }, youngGenerationMb: 2 });
thread.once('message', (message: unknown) => console.log(JSON.stringify(message)));
thread.once('error', (error: Error) => console.log(JSON.stringify({ error: error.name })));
`,
    );
    const { stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/node'), [join(directory, 'main.ts')], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  }

  it('runs a TypeScript file with its data, its limits and the compile cache', () => {
    const message = start(`
import { getCompileCacheDir } from 'node:module';
import { parentPort, resourceLimits, workerData } from 'node:worker_threads';
const n: number = workerData.n;
parentPort!.postMessage({
  n,
  young: resourceLimits.maxYoungGenerationSizeMb,
  cached: getCompileCacheDir()?.includes('mediastreamer'),
});
`);
    expect(message).toEqual({ n: 5, young: 2, cached: true });
  });

  it('tells of what its file throws', () => {
    expect(start(`throw new RangeError('at once');`)).toEqual({ error: 'RangeError' });
  });
});
