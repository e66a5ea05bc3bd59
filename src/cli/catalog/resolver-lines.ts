import { resolve } from 'node:path';
import type { Service } from '../../catalog/index.ts';
import { formatAddress, parseAddress } from '../../net/index.ts';
import { replaceFile } from '../../sys/index.ts';
import { type Io, UsageError } from '../command.ts';
import { parseOptions } from '../options.ts';
import { readConfig } from '../read-config.ts';
import { filesOfConfig, OUTPUT_MODE, servicesOf } from './files.ts';

/** Lines for one service. `servers` are the edge's addresses. */
type Format = (names: readonly string[], servers: readonly string[]) => string[];

/**
 * unbound: an insecure point per name. dnsmasq has none, but does not validate what it asks a server for the domain alone,
 * unless a trust anchor lies below (`--trust-anchor` in dnsmasq(8)).
 */
const FORMATS: Readonly<Record<string, Format>> = {
  unbound: (names) => names.map((name) => `  domain-insecure: "${name}"`),
  dnsmasq: (names, servers) => names.flatMap((name) => servers.map((server) => `server=/${name}/${server}`)),
};

/** Writes the lines by which a validating resolver at home accepts steered answers. */
export async function exportLines(args: string[], io: Io): Promise<number> {
  const values = parseOptions(args, {
    config: { type: 'string' },
    format: { type: 'string' },
    out: { type: 'string' },
    server: { type: 'string', multiple: true },
    service: { type: 'string', multiple: true },
  });
  const name = values.format ?? '';
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  if (format === undefined)
    throw new UsageError(`expected --format with ${Object.keys(FORMATS).join(' or ')}`);
  const loaded = readConfig(values.config, io);
  const servers = name === 'dnsmasq' ? serversOf(values.server ?? loaded.config.control.dnsAddresses) : [];
  const services = chosen(servicesOf(await filesOfConfig(loaded)), values.service);
  const lines = [
    '# Names that MediaStreamer answers with a relay: signatures cannot fit, so they are not validated.',
    ...(name === 'unbound' ? ['server:'] : []),
    ...services.flatMap(({ title, names, exact }) => [
      `${name === 'unbound' ? '  ' : ''}# ${title}`,
      ...format([...new Set([...names, ...exact])].sort(), servers),
    ]),
  ];
  if (values.out === undefined) io.out(lines.join('\n'));
  else replaceFile(resolve(io.cwd, values.out), `${lines.join('\n')}\n`, { mode: OUTPUT_MODE });
  return 0;
}

function chosen(services: readonly Service[], wanted: readonly string[] | undefined): readonly Service[] {
  if (wanted === undefined) return services;
  return wanted.map((id) => {
    const service = services.find((candidate) => candidate.service === id);
    if (service === undefined)
      throw new UsageError(`found --service ${id}, expected a service of the catalog`);
    return service;
  });
}

/** As dnsmasq has them: an address, and after `#` a port. */
function serversOf(texts: readonly string[]): string[] {
  if (texts.length === 0)
    throw new UsageError(
      "expected --server ADDRESS, the edge's, or control.dnsAddresses in the configuration",
    );
  return texts.map((text) => {
    const [host = '', port, ...more] = text.split('#');
    const address = parseAddress(host);
    const isPort = port === undefined || (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535);
    if (address === null || !isPort || more.length > 0)
      throw new UsageError(
        `found --server ${text}, expected an address, such as 192.0.2.53 or 192.0.2.53#5300`,
      );
    return `${formatAddress(address)}${port === undefined ? '' : `#${port}`}`;
  });
}
