import { setTimeout as delay } from 'node:timers/promises';
import { type Command, type Io, UsageError } from './command.ts';
import { type Answers, readAnswers } from './init/answers.ts';
import { WrittenFiles } from './init/files.ts';
import { type InitFlags, readFlags } from './init/flags.ts';
import { findAddresses, type HostAddresses } from './init/host-addresses.ts';
import { ObstacleError } from './init/obstacle.ts';
import { filesOf, type Places, placesOf } from './init/plan.ts';
import { checkPorts } from './init/ports.ts';
import { recordLines, recordProblem } from './init/records.ts';
import { accountCommand, awaitCertificate, isRunning, logFile, start, stop } from './init/running.ts';

const USAGE = `Usage: mediastreamer init --domain NAME [--address IPV4] [--address6 IPV6] [--email MAIL] [--acme URL] [--dir DIR]
                          [--yes] [--dry-run] [--no-start]
       mediastreamer init --undo [--dir DIR]

Sets this host up as a whole Smart DNS under one name: DNS on 53 and 853, relay on 443 and 80, which also serve the DNS Settings
page, the API and DNS over HTTPS at https://NAME/. Finds the public address, checks the ports, writes the configuration (and a
systemd unit where there is systemd and no unit), waits for the DNS record, starts the service, obtains a certificate by ACME and
makes a first account. A second run changes nothing. Run it as root.

  --domain NAME       name of the service, such as dns.example.com
  --address IPV4      the host's public address; default: found
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

async function setUp(flags: InitFlags, places: Places, io: Io): Promise<void> {
  const answers = await readAnswers(flags, io.ask);
  const addresses = await findAddresses(flags);
  const written = new WrittenFiles(places.directory);
  const running = await isRunning(places);
  if (!running) await checkPorts(Object.values(addresses).filter((text) => text !== null));
  const files = filesOf(places, answers, addresses, flags.acme);
  io.out(`This host: ${Object.values(addresses).filter(Boolean).join(', ')}. Records of ${answers.domain}:`);
  io.out(['', ...recordLines(answers.domain, addresses).map((line) => `  ${line}`), ''].join('\n'));
  if (flags.dryRun) {
    for (const { path, text } of files) io.out(`${path}:\n\n${text.replaceAll(/^/gm, '  ')}`);
    const problem = await recordProblem(answers.domain, addresses);
    if (problem !== null) throw new ObstacleError(problem);
    io.out('The records are there and the ports are free. Nothing was written.');
    return;
  }
  await confirm(flags, io);
  if (!written.write(answers.domain, files)) io.out('The files are as init wrote them: nothing is changed.');
  else for (const { path } of files) io.out(`written: ${path}`);
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
  await awaitCertificate(places, answers.domain);
  await report(places, answers, addresses, io);
}

async function confirm({ yes }: InitFlags, io: Io): Promise<void> {
  if (yes) return;
  if (io.ask === undefined) throw new UsageError('expected --yes, as there is no terminal to ask at');
  const answer = await io.ask(
    'Write the configuration, and agree to the terms of the CA (Let’s Encrypt by default)? [y/N] ',
  );
  if (!/^y(es)?$/i.test(answer.trim())) throw new ObstacleError('Nothing was done.');
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
