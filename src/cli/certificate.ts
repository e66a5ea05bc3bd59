import { X509Certificate } from 'node:crypto';
import type { Config } from '../config/index.ts';
import { readTlsCertificate, type TlsCertificate } from '../net/index.ts';
import { readPrivateText } from './private-text.ts';

/** Reads the certificate of the DNS listeners and of the host's own names; null if neither needs one.
 * @throws TlsCertificateError, FileNotPrivateError */
export function readCertificate({ roles, dns, tls, domain }: Config): TlsCertificate | null {
  const isEdge = roles.includes('edge') && dns.tls.length + dns.https.length > 0;
  const isNeeded = (isEdge || domain !== null) && tls.certFile !== null && tls.keyFile !== null;
  // The configuration is valid, so both files are named.
  return isNeeded ? readTlsCertificate(tls.certFile!, tls.keyFile!, readPrivateText) : null;
}

/** Returns a warning if private names are on and the certificate does not cover them, else null. */
export function privateNamesWarning({ cert }: TlsCertificate, domain: string | null): string | null {
  if (domain === null) return null;
  const certificate = new X509Certificate(cert);
  const isCovered = (name: string) => certificate.checkHost(name, { subject: 'never' }) !== undefined;
  const missing = [domain, `*.${domain}`].filter((name) => !isCovered(name.replace('*', 'a')));
  if (missing.length === 0) return null;
  return `tls.certFile: the certificate lacks ${missing.join(' and ')}: devices refuse private names (privateNames.domain)`;
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** Returns a warning if the certificate has expired or expires within two weeks, else null. */
export function certificateWarning({ validToMs }: TlsCertificate, nowMs: number): string | null {
  const days = Math.floor((validToMs - nowMs) / DAY_MS);
  if (days >= SOON_DAYS) return null;
  const end = new Date(validToMs).toISOString();
  return `tls.certFile: the certificate ${validToMs <= nowMs ? 'expired' : 'expires'} at ${end}`;
}
