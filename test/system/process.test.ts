import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const NODE = process.execPath;

function node(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(NODE, args, { encoding: 'utf8', cwd: tmpdir() });
  return { status, stdout, stderr };
}

describe('the process', () => {
  it('prints its help and exits 0 from any directory', () => {
    const { status, stdout, stderr } = node(join(ROOT, 'src/main.ts'), '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: mediastreamer /);
  });

  it('exits 2 for bad usage and 1 for a bad configuration, with a line on standard error', () => {
    const usage = node(join(ROOT, 'src/main.ts'), 'dance');
    expect({ ...usage, stderr: usage.stderr.split('\n').length }).toEqual({
      status: 2,
      stdout: '',
      stderr: 2,
    });
    const config = node(join(ROOT, 'src/main.ts'), 'check-config', '--config', 'none/here.yaml');
    expect(config).toEqual({
      status: 1,
      stdout: '',
      stderr: 'none/here.yaml: found no such file, expected a configuration\n',
    });
  });

  it.each([
    ['an uncaught error', "setTimeout(() => { throw new RangeError('private.example.com'); });"],
    ['an unhandled rejection', "Promise.reject(new RangeError('private.example.com'));"],
  ])('logs %s as one line without its message and exits 70', (_, code) => {
    const directory = mkdtempSync(join(tmpdir(), 'crash-'));
    try {
      const script = join(directory, 'crash.ts');
      const handlers = JSON.stringify(join(ROOT, 'src/cli/crash.ts'));
      writeFileSync(
        script,
        `import { installCrashHandlers } from ${handlers};\ninstallCrashHandlers();\n${code}\n`,
      );
      const { status, stdout, stderr } = node(script);
      expect({ status, stderr }).toEqual({ status: 70, stderr: '' });
      expect(JSON.parse(stdout)).toMatchObject({
        level: 'fatal',
        msg: 'crash',
        name: 'RangeError',
        code: null,
      });
      expect(stdout).not.toContain('private');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
