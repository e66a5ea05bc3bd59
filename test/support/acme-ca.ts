/** Debian's caddy as a CA by ACME, with a root certificate of its own, in a network of the test. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './service.ts';

const PORT = 9443;

export interface AcmeCaOptions {
  /** Name of its directory's URL. */
  readonly name: string;
  readonly address: string;
  /** Its state is in `ca` in it. */
  readonly folder: string;
  /** Runs a command in the network. */
  readonly wrapper: readonly string[];
  /** Other sites of the same caddy. */
  readonly sites?: string;
}

/** URL of the CA's directory. */
export function acmeDirectory(name: string): string {
  return `https://${name}:${PORT}/acme/local/directory`;
}

/** Starts the CA, or starts it again in its folder, and waits until it serves. */
export async function startAcmeCa({
  name,
  address,
  folder,
  wrapper,
  sites,
}: AcmeCaOptions): Promise<Program> {
  const home = join(folder, 'ca');
  mkdirSync(home, { recursive: true });
  const file = join(home, 'Caddyfile');
  writeFileSync(
    file,
    `{
      admin off
      skip_install_trust
      auto_https disable_redirects
    }
    https://${name}:${PORT} {
      bind ${address}
      tls internal
      acme_server
    }
    ${sites ?? ''}
    `,
  );
  const env = { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home };
  const args = ['run', '--adapter', 'caddyfile', '--config', file];
  const caddy = new Program('caddy', args, { env, cwd: home, wrapper });
  await caddy.until(() => caddy.stderr.includes('serving initial configuration'), 'start of caddy');
  return caddy;
}

/** File of the CA's root certificate. */
export function acmeRoot(folder: string): string {
  return join(folder, 'ca/caddy/pki/authorities/local/root.crt');
}
