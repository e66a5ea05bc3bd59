import { describe, expect, it } from 'vitest';
import { machineWarnings } from '../../src/cli/machine-warnings.ts';
import { load, REGIONS } from '../config/builders.ts';

const MIB = 1024 ** 2;
const AMPLE = { openFiles: 1_048_576, memoryBytes: 64 * 1024 * MIB };
const RELAY = `${REGIONS}
roles: [edge, relay]
dns: { workers: 2 }
relay: { region: us, tls: ['127.0.0.1:4430'], workers: 2, limits: { connections: 30000 } }
cache: { bytes: 512MiB }
`;

describe('warnings about the machine', () => {
  it('are none on one with room', () => {
    expect(machineWarnings(load(RELAY).config, AMPLE)).toEqual([]);
    expect(machineWarnings(load(RELAY).config, { ...AMPLE, openFiles: null })).toEqual([]);
  });

  it('name the open files that the limits of connections add up to', () => {
    const [warning, ...others] = machineWarnings(load(RELAY).config, { ...AMPLE, openFiles: 1024 });
    expect(others).toEqual([]);
    const [, needed] = /add up to (\d+) open files, and the limit here is 1024/.exec(warning!)!;
    expect(Number(needed)).toBeGreaterThan(60_000);
    expect(machineWarnings(load(RELAY).config, { ...AMPLE, openFiles: Number(needed) })).toEqual([]);
  });

  it('name the memory that cache and threads need', () => {
    const small = { ...AMPLE, memoryBytes: 512 * MIB };
    expect(machineWarnings(load(RELAY).config, small)).toEqual([
      expect.stringMatching(/^cache\.bytes 512MiB, threads .* about 716 MiB .* there are 512 MiB: lower/),
    ]);
    expect(machineWarnings(load(`${RELAY.replace('512MiB', '64MiB')}`).config, small)).toEqual([]);
  });

  it('do not count the cache of a process without the roles that resolve', () => {
    const control = `${REGIONS}\nroles: [control]\ncache: { bytes: 2GiB }\n`;
    expect(machineWarnings(load(control).config, { ...AMPLE, memoryBytes: 256 * MIB })).toEqual([]);
  });
});
