import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate that signs itself, as PEM: its own authority. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Makes one by openssl. @param names `DNS:dns.example` or `IP:127.0.0.1` */
export function makeCertificate(names: readonly string[]): TestCertificate {
  const directory = mkdtempSync(join(tmpdir(), 'certificate-'));
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=test'],
        ...['-addext', `subjectAltName=${names.join(',')}`],
      ],
      { stdio: 'ignore' },
    );
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
