/** The README's blocks, run as a stranger would on a fresh clone. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Block,
  type BlockResult,
  printsAsExpected,
  readBlocks,
  runTour,
  syntaxFaults,
} from '../support/readme.ts';
import { ROOT, temporaryFolder, until } from '../support/service.ts';

/** npm passes its settings on to what it runs; what it has fetched before need not come from the network. */
const outerEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([key]) => !/^(npm_|NODE_|VITEST|MEDIASTREAMER_)/i.test(key)),
);
const environment = {
  ...outerEnvironment,
  // Without what npm test has put in front.
  PATH: (process.env['PATH'] ?? '')
    .split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':'),
  npm_config_prefer_offline: 'true',
  npm_config_update_notifier: 'false',
};

interface Difference {
  readonly line: number;
  readonly code: string;
  readonly fault: string;
  readonly printed?: readonly string[];
  readonly expected?: readonly string[];
}

/** What differs between the text and what was seen, a block each. */
function differences(blocks: readonly Block[], results: readonly BlockResult[]): Difference[] {
  return blocks.flatMap(({ line, code, expected }, index): Difference[] => {
    const result = results[index];
    if (result === undefined) return [{ line, code, fault: 'not reached' }];
    const { status, printed } = result;
    if (status !== 0) return [{ line, code, fault: `exit ${status}`, printed }];
    if (expected === null || printsAsExpected(printed, expected)) return [];
    return [{ line, code, fault: 'prints otherwise', expected, printed }];
  });
}

describe('the runner', () => {
  const markdown = [
    'Text with `sh` in it.',
    '```sh',
    'X=1',
    'sleep 100 > log.txt &',
    'echo "one $X"; printf two',
    '```',
    '```text',
    'one 1',
    'tw...',
    '```',
    'Another block does not belong to the one above:',
    '```text',
    'other',
    '```',
    '<!-- not run: needs root -->',
    '```sh',
    'if true; then echo',
    '```',
    '```sh',
    'kill %1; echo "still $X" | grep -o still',
    '```',
    '```js',
    'not a block of ours',
    '```',
    '```sh',
    'false',
    '```',
    '```sh',
    'exit 3',
    '```',
    '```sh',
    'echo never',
    '```',
  ].join('\n');
  const blocks = readBlocks(markdown);

  it('finds the blocks, what they print, and which are not run', () => {
    expect(blocks.map(({ line, notRun, expected }) => ({ line, notRun, expected }))).toEqual([
      { line: 3, notRun: null, expected: ['one 1', 'tw...'] },
      { line: 17, notRun: 'needs root', expected: null },
      { line: 20, notRun: null, expected: null },
      { line: 26, notRun: null, expected: null },
      { line: 29, notRun: null, expected: null },
      { line: 32, notRun: null, expected: null },
    ]);
    expect(syntaxFaults(blocks[0])).toBe('');
    expect(syntaxFaults(blocks[1])).not.toBe('');
    expect(() => readBlocks('```sh\necho')).toThrow('line 1: a block without an end');
  });

  it('runs them in one shell, tells what each printed, and where one failed', async () => {
    const run = blocks.filter(({ notRun }) => notRun === null);
    const options = { cwd: temporaryFolder(), env: process.env, timeoutMs: 20_000 };
    const { results } = await runTour(run, options);
    expect(results.map(({ status, printed }) => [status, printed])).toEqual([
      [0, ['one 1', 'two']],
      [0, ['still']],
      [1, []],
      [null, []],
    ]);
    expect(differences(run, results)).toMatchObject([
      { line: 26, fault: 'exit 1' },
      { line: 29, fault: 'exit null' },
      { line: 32, fault: 'not reached' },
    ]);
  });

  it('takes ... for anything within a line, and everything else as it stands', () => {
    expect(printsAsExpected(['{"id":"x","n":1}'], ['{"id":"...","n":1}'])).toBe(true);
    expect(printsAsExpected(['{"id":"x","n":2}'], ['{"id":"...","n":1}'])).toBe(false);
    expect(printsAsExpected(['1a2'], ['1.2'])).toBe(false);
    expect(printsAsExpected(['a', 'b'], ['a'])).toBe(false);
    expect(printsAsExpected(['a', 'b'], ['a...'])).toBe(false);
  });

  it('ends what never ends, with what runs beside it', async () => {
    const folder = temporaryFolder();
    const [block] = readBlocks('```sh\nsleep 1000 & echo $! > pid\nsleep 1000\n```');
    const { results } = await runTour([block], { cwd: folder, env: process.env, timeoutMs: 500 });
    expect(results).toMatchObject([{ status: null }]);
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    await until(() => hasEnded(pid), 'the job has ended');
  });
});

/** Whether a process is gone, or waits for nothing but to be counted. */
function hasEnded(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return !existsSync(file) || / Z /.test(readFileSync(file, 'utf8'));
}

describe('README.md', () => {
  const blocks = readBlocks(readFileSync(join(ROOT, 'README.md'), 'utf8'));

  it('has blocks that a shell can read', () => {
    expect(blocks.length).toBeGreaterThan(5);
    for (const block of blocks) expect([block.line, syntaxFaults(block)]).toEqual([block.line, '']);
  });

  it('does on a fresh clone what it says', { timeout: 180_000 }, async () => {
    const clone = join(temporaryFolder(), 'mediastreamer');
    const git = ['-c', 'safe.directory=*', 'clone', '--quiet', ROOT, clone];
    const { status, stderr: gitFault } = spawnSync('git', git, { encoding: 'utf8' });
    expect({ status, gitFault }).toEqual({ status: 0, gitFault: '' });
    const ofClone = readBlocks(readFileSync(join(clone, 'README.md'), 'utf8'));
    const run = ofClone.filter(({ notRun }) => notRun === null);
    const { results, stderr } = await runTour(run, {
      cwd: clone,
      timeoutMs: 150_000,
      ...((await portsAreFree()) ? { env: environment } : isolated()),
    });
    const found = differences(run, results);
    expect({ found, ...(found.length > 0 && { stderr }) }).toEqual({ found: [] });
  });
});

/** Whether the ports that the README names are free here. */
async function portsAreFree(): Promise<boolean> {
  for (const port of [5300, 8080, 9153]) {
    const server = net.createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      return false;
    } finally {
      server.close();
    }
  }
  return true;
}

/** Another program has the ports: a network of the shell's own, in which npm has its cache alone. */
function isolated() {
  const network = ['unshare', '--map-root-user', '--net', '--pid', '--fork', '--kill-child'];
  return {
    env: { ...environment, npm_config_offline: 'true' },
    wrapper: [...network, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'],
  };
}
