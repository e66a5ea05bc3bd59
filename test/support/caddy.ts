/**
 * Debian's caddy as an origin of HTTP/1.1, 2 and 3:
 *
 *     const caddy = await Caddy.start({ address: '127.0.0.7', port, names: [FILMS], folder });
 *     // https://FILMS:port/ says in a header by which protocol it was asked
 *     await caddy.stop();
 */
import { createHash, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificate } from './certificate.ts';
import { Program } from './service.ts';

export interface CaddyOptions {
  readonly address: string;
  readonly port: number;
  readonly names: readonly string[];
  /** Holds what is served, and what caddy writes. */
  readonly folder: string;
}

export class Caddy extends Program {
  /** The hash of its key, as Chromium takes it for certificates that it is not to doubt. */
  readonly keyHash: string;

  private constructor(file: string, keyHash: string, folder: string) {
    // Its home is where it keeps its state.
    const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    super('caddy', ['run', '--adapter', 'caddyfile', '--config', file], { env, cwd: folder });
    this.keyHash = keyHash;
  }

  static async start({ address, port, names, folder }: CaddyOptions): Promise<Caddy> {
    const { cert, key } = makeCertificate(names.map((name) => `DNS:${name}`));
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const file = join(folder, 'Caddyfile');
    writeFileSync(
      file,
      `{
        admin off
        auto_https off
      }
      ${names.map((name) => `https://${name}:${port}`).join(', ')} {
        bind ${address}
        tls ${certFile} ${keyFile}
        root * ${folder}
        header X-Protocol {http.request.proto}
        file_server
      }
      `,
    );
    const publicKey = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
    const keyHash = createHash('sha256').update(publicKey).digest('base64');
    const caddy = new Caddy(file, keyHash, folder);
    await caddy.until(() => caddy.stderr.includes('serving initial configuration'), 'start of caddy');
    return caddy;
  }

  async stop(): Promise<void> {
    this.kill('SIGTERM');
    await this.exited;
  }
}
