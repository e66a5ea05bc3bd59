import { setTimeout as delay } from 'node:timers/promises';
import type { Command, Io } from './command.ts';
import { askAgreement, readDomain, readEmail } from './init/answers.ts';
import { type GivenAnswers, WrittenFiles } from './init/files.ts';
import { type InitFlags, readFlags } from './init/flags.ts';
import { findAddresses, type HostAddresses, listenAddresses } from './init/host-addresses.ts';
import { ObstacleError } from './init/obstacle.ts';
import { type Answers, checkLauncher, filesOf, type Places, placesOf } from './init/plan.ts';
import { checkPorts } from './init/ports.ts';
import { recordLines, recordProblem } from './init/records.ts';
import { accountCommand, awaitCertificate, isRunning, logFile, start, stop } from './init/running.ts';

const USAGE = `Usage: mediastreamer init --domain NAME [--address IPV4] [--address6 IPV6] [--listen IPV4] [--email MAIL]
                          [--acme URL] [--dir DIR] [--yes] [--dry-run] [--no-start]
       mediastreamer init --undo [--dir DIR]

Sets this host up as a whole Smart DNS under one name: DNS on 53 and 853, relay on 443 and 80, which also serve the DNS Settings
page, the API and DNS over HTTPS at https://NAME/. Finds the public address, checks the ports, writes the configuration (and a
systemd unit where there is systemd and no unit), waits for the DNS record, starts the service, obtains a certificate by ACME and
makes a first account. At a terminal it asks for what it is not given. A second run changes nothing. Run it as root.

  --domain NAME       name of the service, such as dns.example.com
  --address IPV4      the host's public address; default: found
  --listen IPV4       the host's own address where the provider maps the public one to it (1:1 NAT); default: found
  --address6 IPV6     the host's public IPv6 address; default: found, or none
  --email MAIL        for mail of the CA
  --acme URL          directory of the CA; default: Let's Encrypt
  --dir DIR           keeps configuration and data in DIR and writes no unit; default: /etc/mediastreamer and
                      /var/lib/mediastreamer
  --yes               asks nothing: you agree to the CA's terms of service
  --dry-run           shows what would be done, and does nothing
  --no-start          writes the files and ends
  --undo              stops the service and removes what init wrote; accounts stay

Exit codes: 0 done, 1 something stands in the way, 2 bad usage.
`;

const POLL_MS = 5_000;
/** Let's Encrypt, the default of acme.directory. */
const DEFAULT_CA = 'https://acme-v02.api.letsencrypt.org/directory';

async function run(args: string[], io: Io): Promise<number> {
  const flags = readFlags(args);
  const places = placesOf(flags.dir, io.cwd);
  try {
    await (flags.undo ? undo(places, io) : setUp(flags, places, io));
    return 0;
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (error instanceof ObstacleError) io.err(error.message);
    else if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      io.err(`${path} cannot be written. Run init as root (sudo), or choose another directory with --dir.`);
    } else throw error;
    return 1;
  }
}

async function setUp(given: InitFlags, places: Places, io: Io): Promise<void> {
  const written = new WrittenFiles(places.directory);
  const flags = withEarlier(given, written.read());
  const ask = flags.yes ? undefined : io.ask;
  const domain = await readDomain(flags, ask);
  written.checkDomain(domain);
  checkLauncher(places);
  const addresses = await findAddresses(flags, { domain, ask });
  const running = await isRunning(places);
  if (!running) await checkPorts(listenAddresses(addresses));
  const { address, address6, listenAddress } = addresses;
  const shown = listenAddress === null ? address : `${address}, which the provider maps to ${listenAddress}`;
  io.out(`This host: ${[shown, address6].filter(Boolean).join(', ')}. Records of ${domain}:`);
  io.out(['', ...recordLines(domain, addresses).map((line) => `  ${line}`), ''].join('\n'));
  const email = await readEmail(flags, flags.dryRun ? undefined : ask);
  const answers = { domain, email };
  const files = filesOf(places, answers, addresses, flags.acme);
  if (flags.dryRun) {
    for (const { path, text } of files) io.out(`${path}:\n\n${text.replaceAll(/^/gm, '  ')}`);
    const problem = await recordProblem(domain, addresses);
    if (problem !== null) throw new ObstacleError(problem);
    io.out('The records are there and the ports are free. Nothing was written.');
    return;
  }
  if (!flags.yes && !written.holds(files)) await askAgreement(flags.acme ?? DEFAULT_CA, ask);
  const asked = listenAddress === null ? {} : { address, listen: listenAddress };
  if (!written.write(domain, files, givenOf({ ...flags, ...asked, email: email ?? '' }))) {
    io.out('The files are as init wrote them: nothing is changed.');
  } else for (const { path } of files) io.out(`written: ${path}`);
  if (!flags.start) {
    io.out('Not started (--no-start). Once the records are there, run init again without it.');
    return;
  }
  await awaitRecords(answers, addresses, flags, io);
  if (!running) {
    io.out('starting the service');
    await start(places, io);
  }
  io.out('waiting for the certificate');
  await awaitCertificate(places, domain);
  await report(places, answers, addresses, io);
}

/** Takes from an earlier run of the same domain what is not given now. */
function withEarlier(flags: InitFlags, earlier: ReturnType<WrittenFiles['read']>): InitFlags {
  if (earlier === null || (flags.domain !== undefined && flags.domain !== earlier.domain)) return flags;
  const given = { ...earlier.given };
  // An address of this run is not bound to the listener of an earlier one.
  if (flags.address !== undefined && flags.address !== given.address) delete given.listen;
  return {
    ...flags,
    domain: earlier.domain,
    address: flags.address ?? given.address,
    address6: flags.address6 ?? given.address6,
    listen: flags.listen ?? given.listen,
    email: flags.email ?? given.email,
    acme: flags.acme ?? given.acme,
  };
}

function givenOf({ address, address6, listen, email, acme }: InitFlags): GivenAnswers {
  return { address, address6, listen, email, acme };
}

/** With a person at the terminal it waits for the records, else it fails if they are not right. */
async function awaitRecords(
  answers: Answers,
  addresses: HostAddresses,
  flags: InitFlags,
  io: Io,
): Promise<void> {
  for (let shown: string | null = null; ; await delay(POLL_MS)) {
    const problem = await recordProblem(answers.domain, addresses);
    if (problem === null) return;
    if (flags.yes) throw new ObstacleError(problem);
    if (problem !== shown)
      io.out(`${problem}\nWaiting until that is done (Ctrl+C ends; run init again to go on).`);
    shown = problem;
  }
}

async function report(places: Places, answers: Answers, addresses: HostAddresses, io: Io): Promise<void> {
  const listed = await accountCommand(places, 'account-list');
  const isFirst = 'accounts' in listed && listed.accounts.length === 0;
  const made = isFirst ? await accountCommand(places, 'account-add') : null;
  const mediastreamer = places.launcher.startsWith('/usr/lib/') ? 'mediastreamer' : `sh ${places.launcher}`;
  const config = `--config ${places.config}`;
  const { address, address6 } = addresses;
  const lines = [
    '',
    `MediaStreamer runs at https://${answers.domain}/`,
    '',
    ...(made !== null && 'secret' in made && 'link' in made
      ? [
          `  sign in      ${made.link.url}`,
          `               (once, until ${made.link.expiresAt}; then by the secret ${made.secret}, shown this once)`,
        ]
      : [`  sign in      ${mediastreamer} account list ${config}, then account link ID`]),
    `  DNS for TVs  first: ${address}    second: ${address6 ?? `${address} again, or empty`}`,
    '               Never enter another resolver as the second: devices would use it for half of the names.',
    '',
    'To test it from home: open the page, register the network, and press Check this device. By hand:',
    '',
    `  dig @${address} netflix.com +short     # ${address} once the home is registered, REFUSED before`,
    '',
    ...(places.hasSystemd
      ? ['Log: journalctl -u mediastreamer. The service starts with the host.']
      : [
          `Log: ${logFile(places)}. Nothing starts the service after a reboot but init, run again, or a line of your own:`,
          `  ${mediastreamer} serve ${config}`,
        ]),
  ];
  io.out(lines.join('\n'));
}

async function undo(places: Places, io: Io): Promise<void> {
  const written = new WrittenFiles(places.directory);
  const record = written.read();
  if (record === null)
    throw new ObstacleError(`init has not run here: there is no ${places.directory}/init.json.`);
  const stopped = await stop(places);
  if (stopped !== null) io.out(stopped);
  for (const line of written.undo(record)) io.out(line);
  io.out(`Accounts, keys and certificate stay in ${places.dataDir}; remove it to erase them.`);
}

export const command: Command = {
  name: 'init',
  summary: 'set this host up under one domain: DNS, relay, page, certificate',
  usage: USAGE,
  run,
};
