import type { Config } from '../../config/index.ts';
import type { ControlServer, ControlService } from '../../control/index.ts';
import type { CounterBlock } from '../../metrics/index.ts';
import { formatAddress, parsePrefix, parseSocketAddress } from '../../net/index.ts';
import type { Registry } from '../../registry/index.ts';
import type { Log } from './log.ts';

export interface StartControlOptions {
  config: Config;
  registry: Registry;
  adminKey: string;
  version: string;
  log: Log;
  counters: CounterBlock;
  /** What accounts may choose from, as the configuration and the catalogue are now. */
  regions(): readonly string[];
  services(): readonly ControlService[];
}

/**
 * Starts the control role's API. Fastify is loaded here, so that a process without the role is without it.
 * @returns the server and where it listens, as host and port
 */
export async function startControl(
  options: StartControlOptions,
): Promise<{ server: ControlServer; addresses: { host: string; port: number }[] }> {
  const { createControl } = await import('../../control/index.ts');
  const { config, registry, adminKey, version, log, counters, regions, services } = options;
  const server = await createControl({
    registry,
    adminKey,
    version,
    regions,
    services,
    trustedProxies: config.control.trustedProxies.map((text) => parsePrefix(text)!),
    publicUrl: config.control.publicUrl,
    familyUrls: config.control.familyUrls,
    dnsAddresses: config.control.dnsAddresses,
    testZone: config.dns.testZone,
    logger: log,
    now: Date.now,
    counters,
  });
  const listen = config.control.listen.map((text) => {
    const { address, port } = parseSocketAddress(text)!;
    return { host: formatAddress(address), port };
  });
  return { server, addresses: await server.listen(listen) };
}
