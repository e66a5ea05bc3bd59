import { type Config, listenersOf } from '../../../config/index.ts';
import { type ProxyUrl, parseProxyUrl } from '../../../net/index.ts';
import type { EgressRules, RelayPolicy } from '../../../relay/index.ts';
import { ownHosts } from '../own-addresses.ts';
import { ownNamesOf } from '../own-names.ts';

/** Builds the relay's policy. @param seed name-hash seed of the catalog */
export function relayPolicy(config: Config, seed: number): RelayPolicy {
  const { limits, proxyProtocolFrom, proxyProtocolTo, proxyProtocolVersion } = config.relay;
  const { probeSources, originPort } = config.relay;
  const { handshakeSeconds, idleSeconds, quicIdleSeconds, ...others } = limits;
  return {
    seed,
    limits: {
      ...others,
      handshakeMs: handshakeSeconds * 1000,
      idleMs: idleSeconds * 1000,
      quicIdleMs: quicIdleSeconds * 1000,
    },
    proxyProtocolFrom,
    proxyProtocolTo,
    proxyProtocolVersion,
    probeSources,
    originPort,
    localAddresses: egressAddresses(config),
    proxies: egressProxies(config),
    ownNames: ownNamesOf(config),
  };
}

/** Rules of the egress guard: the relay never connects to the service itself. */
export function egressRules(config: Config): EgressRules {
  return {
    ownAddresses: ownHosts(config),
    listeners: listenersOf(config).map(({ text }) => text),
    allowPrivate: config.relay.allowPrivateOrigins,
  };
}

/** Local addresses that the relay connects from; empty: the system chooses. */
export function egressAddresses({ relay: { egress } }: Config): string[] {
  return typeof egress === 'object' && 'localAddress' in egress ? [egress.localAddress].flat() : [];
}

export function egressProxies({ relay: { egress } }: Config): ProxyUrl[] {
  if (egress === 'direct' || (typeof egress === 'object' && 'localAddress' in egress)) return [];
  return [egress].flat().map((text) => parseProxyUrl(text)!);
}
