import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';

/** The name in the certificates of `makeCertificate`. */
export const SERVER_NAME = 'bench.example';

/** Makes a certificate that is its own authority, by openssl. @returns its files in the directory */
export function makeCertificate(directory: string): { cert: string; key: string } {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'cert.pem.key')];
  execFileSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-keyout', key, '-out', cert, '-subj', '/CN=bench', '-addext', `subjectAltName=DNS:${SERVER_NAME}`],
    ],
    { stdio: 'ignore' },
  );
  return { cert, key };
}

/** True if somebody accepts connections at this port of 127.0.0.1. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
