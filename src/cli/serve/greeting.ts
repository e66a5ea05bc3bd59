/** What a first start tells: everything that someone needs to go on, and no secret. */
export interface Greeting {
  /** URLs of the API. */
  api: readonly string[];
  /** Addresses that DNS listens on. */
  dns: readonly string[];
  /** Where the admin key lies; null where the configuration gives it. */
  adminKeyFile: string | null;
  next: readonly string[];
}

/** The two commands to try: they need curl and dig, and work when pasted. */
export function nextSteps(api: string, adminKeyFile: string | null, dns: string | null): string[] {
  const key = adminKeyFile === null ? '$MEDIASTREAMER_ADMIN_KEY' : `$(cat ${quoted(adminKeyFile)})`;
  const account =
    `curl -s -X POST ${api}/v1/accounts -H "Authorization: Bearer ${key}" ` +
    "-H 'Content-Type: application/json' -d '{}'";
  if (dns === null) return [account];
  const [host, port] = splitPort(dns);
  return [account, `dig @${host} -p ${port} netflix.com`];
}

/** The greeting as a person reads it on a terminal. */
export function readableGreeting({ api, dns, adminKeyFile, next }: Greeting): string {
  const rows = [
    ['API', api.join('  ')],
    ['DNS', dns.join('  ')],
    ['admin key', adminKeyFile ?? 'as configured (control.adminKey)'],
  ];
  const lines = [
    '',
    'MediaStreamer runs. This is its first start here.',
    '',
    ...rows.map(([label, text]) => `  ${label.padEnd(10)} ${text}`),
    '',
    'Make an account (its answer has the secret, which is shown this once), and ask for a name:',
    '',
    ...next.map((command) => `  ${command}`),
    '',
    'An address is answered once an account has registered it; README.md has the tour.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}

function splitPort(address: string): [host: string, port: string] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon).replace(/^\[|\]$/g, ''), address.slice(colon + 1)];
}

/** A path for a POSIX shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
