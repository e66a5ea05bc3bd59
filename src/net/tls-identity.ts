import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** Size of the session ticket keys. */
export const TICKET_KEYS_BYTES = 48;

/** Certificate, key and session ticket keys of a TLS listener. Can be posted to a thread. */
export interface TlsIdentity {
  /** PEM; the chain follows the certificate. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** TICKET_KEYS_BYTES bytes, shared by all threads, so that any of them resumes a session. */
  readonly ticketKeys: Uint8Array;
}

export interface TlsCertificate {
  readonly cert: string;
  readonly key: string;
  /** DNS names in the certificate, without wildcards. */
  readonly names: readonly string[];
  /** Expiry, in ms since 1970. */
  readonly validToMs: number;
}

/**
 * The certificate or its key is unusable. The one-line message names the configuration key, what was found, and
 * what was expected.
 */
export class TlsCertificateError extends Error {
  readonly code = 'tls_certificate_invalid';
  constructor(key: 'tls.certFile' | 'tls.keyFile', found: string, expected: string) {
    super(`${key}: found ${found}, expected ${expected}`);
    this.name = 'TlsCertificateError';
  }
}

/**
 * Reads and checks a certificate with its chain, and its private key, both PEM.
 * @param readKey reads the key's file; may refuse one that others can write
 * @throws TlsCertificateError, and errors of readKey that are not the system's
 */
export function readTlsCertificate(
  certFile: string,
  keyFile: string,
  readKey: (file: string) => string = readText,
): TlsCertificate {
  const cert = readPem('tls.certFile', certFile, readText);
  const key = readPem('tls.keyFile', keyFile, readKey);
  const certificate = parseCertificate(cert, certFile);
  const privateKey = parseKey(key, keyFile);
  if (!certificate.checkPrivateKey(privateKey)) {
    const expected = `the private key of the certificate in ${certFile}`;
    throw new TlsCertificateError('tls.keyFile', `another key in ${keyFile}`, expected);
  }
  try {
    createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const found = `a certificate or chain that TLS does not take (${reason}) in ${certFile}`;
    throw new TlsCertificateError('tls.certFile', found, 'one that it takes');
  }
  return { cert, key, names: namesOf(certificate), validToMs: Date.parse(certificate.validTo) };
}

function readText(file: string): string {
  return readFileSync(file, 'utf8');
}

function readPem(key: 'tls.certFile' | 'tls.keyFile', file: string, read: (file: string) => string): string {
  try {
    return read(file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new TlsCertificateError(key, `${file}, which cannot be read (${reason})`, 'a PEM file');
  }
}

function parseCertificate(cert: string, file: string): X509Certificate {
  try {
    return new X509Certificate(cert);
  } catch {
    throw new TlsCertificateError(
      'tls.certFile',
      `no certificate in ${file}`,
      'a certificate as PEM, its chain behind it',
    );
  }
}

function parseKey(key: string, file: string): KeyObject {
  try {
    return createPrivateKey(key);
  } catch {
    const expected = 'a private key as PEM, not encrypted';
    throw new TlsCertificateError('tls.keyFile', `no key in ${file}`, expected);
  }
}

function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  const names = [...subjectAltName.matchAll(/DNS:([^,\s"]+)/g)].map((match) => match[1].toLowerCase());
  return names.filter((name) => /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name));
}
