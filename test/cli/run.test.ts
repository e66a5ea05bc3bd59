import { describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { COMMANDS } from '../../src/cli/table.ts';
import { recorder } from './io.ts';

describe('the command line', () => {
  it.each([[['--help']], [['-h']], [['help']], [['--help', 'serve']]])(
    'lists its commands: %j',
    async (argv) => {
      const { io, out, err } = recorder();
      expect(await run(argv, io)).toBe(0);
      expect(err).toEqual([]);
      expect(out[0]).toMatch(/^Usage: mediastreamer /);
      for (const { name, summary } of COMMANDS)
        expect(out.join('\n')).toContain(`${name.padEnd(14)}  ${summary}`);
    },
  );

  it.each([
    [['help', 'check-config']],
    [['check-config', '--help']],
    [['check-config', '-h']],
    [['check-config', '--config', 'none.yaml', '--help']],
  ])('tells how to use a command: %j', async (argv) => {
    const { io, out } = recorder();
    expect(await run(argv, io)).toBe(0);
    expect(out[0]).toBe('Usage: mediastreamer check-config [--config FILE]');
  });

  it('prints its version', async () => {
    const { io, out } = recorder();
    expect(await run(['--version'], io)).toBe(0);
    expect(out).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+/)]);
  });

  it.each([
    [['dance'], 'mediastreamer: unknown command "dance"; see mediastreamer --help'],
    [['help', 'dance'], 'mediastreamer: unknown command "dance"; see mediastreamer --help'],
    [
      ['check-config', '--dance'],
      "mediastreamer check-config: unknown option '--dance'; see mediastreamer check-config --help",
    ],
    [
      ['check-config', 'x.yaml'],
      "mediastreamer check-config: unexpected argument 'x.yaml'; see mediastreamer check-config --help",
    ],
    [
      ['check-config', '--config'],
      "mediastreamer check-config: option '--config <value>' argument missing; see mediastreamer check-config --help",
    ],
  ])('answers bad usage with one line and exit 2: %j', async (argv, line) => {
    const { io, out, err } = recorder();
    expect(await run(argv, io)).toBe(2);
    expect(out).toEqual([]);
    expect(err).toEqual([line]);
  });

  it.each(COMMANDS.map((entry) => [entry.name, entry] as const))(
    'has a file for %s that agrees',
    async (_, entry) => {
      const command = await entry.load();
      expect({ name: command.name, summary: command.summary }).toEqual({
        name: entry.name,
        summary: entry.summary,
      });
      expect(command.usage).toMatch(
        new RegExp(`^Usage: mediastreamer ${entry.name === 'serve' ? '\\[?serve' : entry.name}`),
      );
    },
  );
});
