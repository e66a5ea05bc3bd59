import type { Config } from '../../../config/index.ts';
import { parseAddress, type TlsCertificate } from '../../../net/index.ts';
import { wildcardZones } from '../../open-names.ts';
import type { Log } from '../log.ts';
import { CertificateFiles } from './certificate-file.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { Challenges, type ChallengesOptions } from './challenges.ts';
import { orderCertificate } from './order.ts';

export interface HostCertificateOptions {
  readonly config: Config;
  readonly log: Log;
  readonly publish: ChallengesOptions['publish'];
  onCertificate(certificate: TlsCertificate): void;
}

/** The certificate of this host's names by ACME; null where the configuration names files, or no CA. */
export function openHostCertificate(
  options: HostCertificateOptions,
): { keeper: CertificateKeeper; challenges: Challenges } | null {
  const { config, log, publish, onCertificate } = options;
  const { acme, tls, dataDir } = config;
  if (acme === null || tls.certFile !== null || tls.keyFile !== null) return null;
  const files = new CertificateFiles(dataDir);
  const challenges = new Challenges({ dnsHook: acme.dnsHook, publish });
  const { directory, email } = acme;
  const keeper = new CertificateKeeper({
    files,
    ...certificateNames(config),
    order: (names) => orderCertificate(names, { directory, email, files, challenges }),
    onCertificate(certificate) {
      const validTo = new Date(certificate.validToMs).toISOString();
      log.info({ validTo }, 'new certificate');
      onCertificate(certificate);
    },
    onFailure({ reason, problem, isFromCa, names, retryMs }) {
      const fields = {
        code: 'acme_failed',
        reason,
        problem,
        isFromCa,
        names,
        retrySeconds: Math.round(retryMs / 1000),
      };
      log.error(fields, 'no new certificate: the one in use stays');
    },
    now: Date.now,
    random: Math.random,
  });
  return { keeper, challenges };
}

/** Names of the certificate: the host's own, and what DNS-01 can add. */
export function certificateNames(config: Config): { names: string[]; wildcards: string[] } {
  const { domain, control, acme, roles } = config;
  const urls = [control.publicUrl, control.familyUrls.ipv4, control.familyUrls.ipv6];
  const hosts = urls.flatMap((url) => (url === null ? [] : [new URL(url).hostname]));
  const isName = (host: string) => parseAddress(host.replace(/^\[(.*)\]$/, '$1')) === null;
  const named = hosts.filter((host) => isName(host) && host !== 'localhost');
  const canProve = acme !== null && (acme.dnsHook !== null || roles.includes('edge'));
  return {
    names: [...new Set([domain!, ...named])],
    wildcards: canProve ? wildcardZones(config).map((zone) => `*.${zone}`) : [],
  };
}
