import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readInterface, XdpError } from '../../../src/sys/xdp/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'interfaces-'));
  write('wan0', { ifindex: '12', type: '1', address: '52:54:00:ab:cd:ef', mtu: '1500' }, [
    'rx-0',
    'rx-1',
    'tx-0',
  ]);
  write('lo', { ifindex: '1', type: '772', address: '00:00:00:00:00:00', mtu: '65536' }, ['rx-0', 'tx-0']);
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, files: Record<string, string>, queues: readonly string[]): void {
  for (const queue of queues) mkdirSync(join(folder, name, 'queues', queue), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), `${text}\n`);
}

describe('a network interface', () => {
  it('is read from what the kernel tells', () => {
    expect(readInterface('wan0', folder)).toEqual({
      name: 'wan0',
      index: 12,
      mtu: 1500,
      mac: Uint8Array.of(0x52, 0x54, 0, 0xab, 0xcd, 0xef),
      queues: 2,
    });
  });

  it.each(['wan1', '', '..', '.', 'a/b', '../wan0', 'x'.repeat(16)])(
    'is not there by the name %j',
    (name) => {
      expect(() => readInterface(name, folder)).toThrow(XdpError);
      expect(() => readInterface(name, folder)).toThrow(`there is no network interface "${name}"`);
    },
  );

  it('is Ethernet: loopback and tunnels have no frames of that kind', () => {
    expect(() => readInterface('lo', folder)).toThrow('the interface "lo" is not Ethernet');
  });

  it('of this machine, loopback, is refused too', () => {
    expect(() => readInterface('lo')).toThrow(XdpError);
  });
});
