import { readdirSync, readFileSync } from 'node:fs';
import { XdpError } from './errors.ts';

/** include/uapi/linux/if_arp.h */
const ARPHRD_ETHER = 1;
const NAME = /^[^\s/]{1,15}$/;

export interface NetworkInterface {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  /** Hardware address, 6 bytes. */
  readonly mac: Uint8Array;
  /** Receive queues in use. */
  readonly queues: number;
}

/**
 * Reads an Ethernet interface's properties from sysfs.
 * @param folder sysfs folder of the process's network namespace
 * @throws XdpError if there is no such interface
 */
export function readInterface(name: string, folder = '/sys/class/net'): NetworkInterface {
  const read = (file: string): string => {
    try {
      return readFileSync(`${folder}/${name}/${file}`, 'latin1').trim();
    } catch {
      throw new XdpError(`there is no network interface "${name}"`);
    }
  };
  if (!NAME.test(name) || name.startsWith('.')) {
    throw new XdpError(`there is no network interface "${name}"`);
  }
  const index = Number(read('ifindex'));
  if (Number(read('type')) !== ARPHRD_ETHER) throw new XdpError(`the interface "${name}" is not Ethernet`);
  const mac = Uint8Array.from(read('address').split(':'), (byte) => Number.parseInt(byte, 16));
  const queues = readdirSync(`${folder}/${name}/queues`).filter((queue) => queue.startsWith('rx-')).length;
  return { name, index, mtu: Number(read('mtu')), mac, queues };
}
