/** Printed at the first start: everything that someone needs to go on, and no secret. */
export interface Greeting {
  /** URLs of the API. */
  api: readonly string[];
  /** Addresses that DNS listens on. */
  dns: readonly string[];
  /** Null where the configuration holds the key. */
  adminKeyFile: string | null;
  /** Commands to try next. */
  next: readonly string[];
}

/** Returns commands to paste into a shell; they need curl and dig. */
export function nextSteps(api: string, adminKeyFile: string | null, dns: string | null): string[] {
  const key = adminKeyFile === null ? '$MEDIASTREAMER_ADMIN_KEY' : `$(cat ${quoted(adminKeyFile)})`;
  const account =
    `curl -s -X POST ${api}/v1/accounts -H "Authorization: Bearer ${key}" ` +
    "-H 'Content-Type: application/json' -d '{}'";
  if (dns === null) return [account];
  const [host, port] = splitPort(dns);
  return [account, `dig @${reachable(host)} -p ${port} netflix.com`];
}

/** Formats the greeting for a terminal. */
export function readableGreeting({ api, dns, adminKeyFile, next }: Greeting): string {
  const rows = [
    ['API', api.join('  ')],
    ['DNS', dns.join('  ')],
    ['admin key', adminKeyFile ?? 'as configured (control.adminKey)'],
  ];
  const lines = [
    '',
    'MediaStreamer is running. This is its first start here.',
    '',
    ...rows.map(([label, text]) => `  ${label.padEnd(10)} ${text}`),
    '',
    'Create an account (the reply has its secret, which is shown only once), then look up a name:',
    '',
    ...next.map((command) => `  ${command}`),
    '',
    'An address is answered once an account has registered it. README.md has a tour.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}

function splitPort(address: string): [host: string, port: string] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon).replace(/^\[|\]$/g, ''), address.slice(colon + 1)];
}

/** A wildcard listener is reached at loopback. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** Quotes a path for a POSIX shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
