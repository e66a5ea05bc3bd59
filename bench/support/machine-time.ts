import { readFileSync } from 'node:fs';

/** Clock ticks a second, in which /proc/stat counts on every Linux. */
const TICKS = 100;

/**
 * Seconds in which the processors worked, without the user mode of `generator`, the processor that a load generator has
 * for itself: what the servers and the kernel did, wherever the kernel did it. A packet's way up to a socket or a
 * ring is often counted to who sent it.
 */
export function workSeconds(generator: number): number {
  const lines = readFileSync('/proc/stat', 'latin1').split('\n');
  const fields = (name: string): number[] =>
    lines
      .find((line) => line.startsWith(`${name} `))!
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
  const [user, nice, system, , , irq, softirq] = fields('cpu') as [
    number,
    number,
    number,
    0,
    0,
    number,
    number,
  ];
  const [generatorUser, generatorNice] = fields(`cpu${generator}`) as [number, number];
  return (user + nice + system + irq + softirq - generatorUser - generatorNice) / TICKS;
}
