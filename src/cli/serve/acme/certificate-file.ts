import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readTlsCertificate, type TlsCertificate } from '../../../net/index.ts';
import { replaceFile } from '../../../sys/index.ts';
import { readPrivateText } from '../../private-text.ts';

/** A certificate with its validity. */
export interface IssuedCertificate {
  readonly certificate: TlsCertificate;
  /** All DNS names, wildcards included. */
  readonly names: readonly string[];
  readonly validFromMs: number;
  readonly validToMs: number;
}

/** The files of ACME: one with key and chain, so that both change at once, and the account's key. */
export class CertificateFiles {
  private readonly certificateFile: string;
  private readonly accountFile: string;

  /** @param dataDir their folder `acme` is made in it */
  constructor(dataDir: string) {
    this.certificateFile = join(dataDir, 'acme', 'certificate.pem');
    this.accountFile = join(dataDir, 'acme', 'account.key');
  }

  /** Returns the stored certificate; null if there is none. @throws TlsCertificateError, FileNotPrivateError */
  read(): IssuedCertificate | null {
    const file = this.certificateFile;
    if (!existsSync(file)) return null;
    const certificate = readTlsCertificate(file, file, readPrivateText);
    const parsed = new X509Certificate(certificate.cert);
    const names = [...(parsed.subjectAltName ?? '').matchAll(/DNS:([^,\s"]+)/g)].map(([, name]) =>
      name!.toLowerCase(),
    );
    return {
      certificate,
      names,
      validFromMs: Date.parse(parsed.validFrom),
      validToMs: certificate.validToMs,
    };
  }

  /** Replaces the certificate at once, and returns it as read back. */
  write(chain: string, key: string): IssuedCertificate {
    // The leaf comes first in both: readers take the first block of its kind.
    writePrivate(this.certificateFile, `${key.trim()}\n${chain.trim()}\n`);
    return this.read()!;
  }

  /** Returns the account's key. @param make makes one at the first time */
  async accountKey(make: () => Promise<string>): Promise<string> {
    if (!existsSync(this.accountFile)) writePrivate(this.accountFile, await make());
    return readPrivateText(this.accountFile);
  }
}

function writePrivate(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  replaceFile(file, text);
}
