import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { advice, isDebian, missingTools, TOOLS, toolFolders } from './tools.ts';

const SCRIPT = join(import.meta.dirname, 'tools.ts');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tools-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the tools of the tests', () => {
  it('are missing when no folder has them as a program', () => {
    writeFileSync(join(folder, 'dig'), '', { mode: 0o755 });
    writeFileSync(join(folder, 'kdig'), '', { mode: 0o644 });
    const commands = missingTools(TOOLS, ['/nonexistent', folder]).map(({ command }) => command);
    expect(commands).not.toContain('dig');
    expect(commands).toContain('kdig');
    expect(commands).toHaveLength(TOOLS.length - 1);
  });

  it('are looked for in PATH and in the folders of the system', () => {
    expect(toolFolders('/a:/b:')).toEqual(['/a', '/b', '/usr/local/sbin', '/usr/sbin', '/sbin']);
  });

  it.each([
    ['ID=debian', true],
    ['NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian', true],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"', true],
    ['NAME="not debian"\nID=fedora', false],
    ['ID=alpine', false],
  ])('are installed where os-release says %j: %s', (osRelease, debian) => {
    expect(isDebian(osRelease)).toBe(debian);
  });

  it('are named in one line, each package once', () => {
    const tools = [
      { command: 'dig', debianPackage: 'bind9-dnsutils' },
      { command: 'delv', debianPackage: 'bind9-dnsutils' },
    ];
    expect(advice(tools)).toMatch(/^npm test needs dig, delv; .*--no-install-recommends bind9-dnsutils$/);
  });

  it('are all here, and the check of that is silent', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8' });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  });
});
