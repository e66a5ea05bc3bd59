/** The commands in the documents, run on a fresh clone as a stranger would paste them. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Block,
  type BlockResult,
  printsAsExpected,
  readBlocks,
  runTour,
  syntaxErrors,
} from '../support/readme.ts';
import { ROOT, temporaryFolder, until } from '../support/service.ts';

/** The environment without npm's settings for its children; cached packages need no network. */
const outerEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([key]) => !/^(npm_|NODE_|VITEST|MEDIASTREAMER_)/i.test(key)),
);
const environment = {
  ...outerEnvironment,
  // Without the folders that npm test put in front.
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
  readonly error: string;
  readonly printed?: readonly string[];
  readonly expected?: readonly string[];
}

/** Lists the blocks that failed or printed something else than the page says. */
function differences(blocks: readonly Block[], results: readonly BlockResult[]): Difference[] {
  return blocks.flatMap(({ line, code, expected }, index): Difference[] => {
    const result = results[index];
    if (result === undefined) return [{ line, code, error: 'not reached' }];
    const { status, printed } = result;
    if (status !== 0) return [{ line, code, error: `exit ${status}`, printed }];
    if (expected === null || printsAsExpected(printed, expected)) return [];
    return [{ line, code, error: 'other output', expected, printed }];
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

  it('finds the blocks, their expected output, and those marked as not run', () => {
    expect(blocks.map(({ line, notRun, expected }) => ({ line, notRun, expected }))).toEqual([
      { line: 3, notRun: null, expected: ['one 1', 'tw...'] },
      { line: 17, notRun: 'needs root', expected: null },
      { line: 20, notRun: null, expected: null },
      { line: 26, notRun: null, expected: null },
      { line: 29, notRun: null, expected: null },
      { line: 32, notRun: null, expected: null },
    ]);
    expect(syntaxErrors(blocks[0])).toBe('');
    expect(syntaxErrors(blocks[1])).not.toBe('');
    expect(() => readBlocks('```sh\necho')).toThrow('line 1: a block without an end');
  });

  it('runs the blocks in one shell and reports output and status of each', async () => {
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
      { line: 26, error: 'exit 1' },
      { line: 29, error: 'exit null' },
      { line: 32, error: 'not reached' },
    ]);
  });

  it('matches ... with anything within a line, and all else literally', () => {
    expect(printsAsExpected(['{"id":"x","n":1}'], ['{"id":"...","n":1}'])).toBe(true);
    expect(printsAsExpected(['{"id":"x","n":2}'], ['{"id":"...","n":1}'])).toBe(false);
    expect(printsAsExpected(['1a2'], ['1.2'])).toBe(false);
    expect(printsAsExpected(['a', 'b'], ['a'])).toBe(false);
    expect(printsAsExpected(['a', 'b'], ['a...'])).toBe(false);
  });

  it('kills a block that never ends, and its background jobs', async () => {
    const folder = temporaryFolder();
    const [block] = readBlocks('```sh\nsleep 1000 & echo $! > pid\nsleep 1000\n```');
    const { results } = await runTour([block], { cwd: folder, env: process.env, timeoutMs: 500 });
    expect(results).toMatchObject([{ status: null }]);
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    await until(() => hasEnded(pid), 'the job has ended');
  });
});

/** Returns true if a process is gone or a zombie. */
function hasEnded(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return !existsSync(file) || / Z /.test(readFileSync(file, 'utf8'));
}

/** Pages whose blocks are run, in this order in one clone: the README's first one installs. */
const RUN = ['README.md', 'config/deploy/README.md', '.github/CONTRIBUTING.md'];
const PAGES = [...RUN, 'bench/README.md', 'bench/SCALE.md', 'src/README.md', 'src/dns/udp/AF_XDP.md'];

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');

  it('has blocks that a shell can read', () => {
    const blocks = readBlocks(text);
    if (RUN.includes(page)) expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect([block.line, syntaxErrors(block)]).toEqual([block.line, '']);
    if (!RUN.includes(page)) expect(blocks.filter(({ notRun }) => notRun === null)).toEqual([]);
  });

  it('links to pages and headings that exist', () => {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path, heading] = target.split('#');
      const file = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path);
      expect([target, existsSync(file)]).toEqual([target, true]);
      if (heading !== undefined) expect(anchors(readFileSync(file, 'utf8'))).toContain(heading);
    }
  });
});

/** The anchors that a forge gives a page's headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('a fresh clone', () => {
  const clone = join(temporaryFolder(), 'mediastreamer');

  it('can be made', () => {
    const git = ['-c', 'safe.directory=*', 'clone', '--quiet', ROOT, clone];
    const { status, stderr } = spawnSync('git', git, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.each(RUN)('does what %s says', { timeout: 300_000 }, async (page) => {
    const blocks = readBlocks(readFileSync(join(clone, page), 'utf8'));
    const run = blocks.filter(({ notRun }) => notRun === null);
    const { results, stderr } = await runTour(run, {
      cwd: clone,
      timeoutMs: 280_000,
      ...((await portsAreFree()) ? { env: environment } : isolated()),
    });
    const found = differences(run, results);
    expect({ found, ...(found.length > 0 && { stderr }) }).toEqual({ found: [] });
  });
});

/** Returns true if the ports in the README are free here. */
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

/** A network namespace for when another program has the ports; npm has only its cache there. */
function isolated() {
  const network = ['unshare', '--map-root-user', '--net', '--pid', '--fork', '--kill-child'];
  return {
    env: { ...environment, npm_config_offline: 'true' },
    wrapper: [...network, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'],
  };
}
