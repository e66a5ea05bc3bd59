import { namesAbove } from '../host-name.ts';
import type { Service } from '../service.ts';

/** Returns a function that tells whether a host name is one of the service's. */
export function coversWith({ names, exact }: Pick<Service, 'names' | 'exact'>): (host: string) => boolean {
  const suffixes = new Set(names);
  const hosts = new Set([...names, ...exact]);
  return (host) => hosts.has(host) || namesAbove(host).some((above) => suffixes.has(above));
}
