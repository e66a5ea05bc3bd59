import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { monotonicClock } from '../../sys/index.ts';
import type { Io } from '../command.ts';
import type { AccountAnswer } from '../serve/operator/accounts.ts';
import type { CertificateReply } from '../serve/operator/commands.ts';
import { type AccountRequest, askOperatorSocket } from '../serve/operator/socket.ts';
import { ObstacleError } from './obstacle.ts';
import type { Places } from './plan.ts';

const execute = promisify(execFile);
const UNIT = 'mediastreamer.service';
const POLL_MS = 200;
const START_MS = 60_000;
/** A CA validates within seconds; slow ones take a minute. */
const CERTIFICATE_MS = 180_000;
const STOP_MS = 60_000;
const LOG_LINES = 5;

/** True if the service of this configuration runs. */
export async function isRunning({ dataDir }: Places): Promise<boolean> {
  return (await certificateState(dataDir)) !== null;
}

/** Starts the service, by systemd where it runs this host, else in the background. @throws ObstacleError */
export async function start(places: Places, io: Io): Promise<void> {
  let hasEnded = () => false;
  if (places.hasSystemd) {
    await systemctl('daemon-reload');
    await systemctl('enable', '--now', UNIT);
  } else {
    mkdirSync(places.dataDir, { recursive: true, mode: 0o700 });
    const log = openSync(logFile(places), 'a', 0o600);
    const args = [places.launcher, 'serve', '--config', places.config];
    const env = io.env as NodeJS.ProcessEnv;
    const child = spawn('/bin/sh', args, { detached: true, stdio: ['ignore', log, log], cwd: '/', env });
    child.unref();
    hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  }
  const now = monotonicClock();
  for (const untilMs = now() + START_MS; !(await isRunning(places)); ) {
    if (hasEnded() || now() > untilMs) {
      const where = places.hasSystemd ? `journalctl -u ${UNIT}` : logFile(places);
      const tail = places.hasSystemd ? '' : ` Its last lines: ${lastLines(logFile(places))}`;
      throw new ObstacleError(
        `The service was started and is not running; ${where} says why.${tail} Correct that, and run init again: it goes on ` +
          'from here.',
      );
    }
    await delay(POLL_MS);
  }
}

/** Waits until the service has a certificate. @throws ObstacleError with the CA's reason */
export async function awaitCertificate({ dataDir }: Places, domain: string): Promise<void> {
  const now = monotonicClock();
  for (const untilMs = now() + CERTIFICATE_MS; ; ) {
    const state = await certificateState(dataDir);
    if (state !== null && state.validToMs !== null) return;
    if (state !== null && state.reason !== null) {
      throw new ObstacleError(refusal(domain, state.reason, state.problem, state.isFromCa));
    }
    if (now() > untilMs) {
      throw new ObstacleError(
        `The CA has not answered for ${domain} within three minutes. The service runs and goes on trying. Check that this host ` +
          'reaches the CA and that TCP port 80 is open in the provider’s firewall, and run init again.',
      );
    }
    await delay(POLL_MS);
  }
}

/** @param isFromCa the reason is the CA's own */
function refusal(domain: string, reason: string, problem: string | null, isFromCa: boolean): string {
  const said = reason.replace(/\.$/, '');
  if (!isFromCa) {
    return (
      `There is no certificate for ${domain} yet: ${said}. The service runs and tries again by itself. Check that this host reaches ` +
      'the CA (HTTPS, outgoing), and run init again to see whether it went well.'
    );
  }
  if (problem === 'rateLimited') {
    return (
      `The CA gives no certificate for ${domain} now, because too many were ordered: ${said}. The service runs and orders ` +
      'again by itself when the CA lets it; until then page and encrypted DNS are closed, and plain DNS works. Run init again later, ' +
      'or use another CA with --acme after init --undo.'
    );
  }
  return (
    `The CA gives no certificate for ${domain}: ${said}. It must reach this host by TCP port 80 under that name: open 80, ` +
    '443, 853 (TCP), 53 and 443 (UDP) and 53 (TCP) in the provider’s firewall, and check for CAA records. The service runs and ' +
    'tries again by itself; run init again to see whether it went well.'
  );
}

/** Sends an account command. @throws ObstacleError */
export async function accountCommand(
  { dataDir }: Places,
  command: AccountRequest['command'],
): Promise<Exclude<AccountAnswer, { error: string }>> {
  const request: AccountRequest = { command, id: null, region: null, perAccount: null };
  const reply = await askOperatorSocket<AccountAnswer>(dataDir, request);
  if (reply === null || 'error' in reply) {
    const reason = reply === null ? 'it does not answer on its operator socket' : reply.error;
    throw new ObstacleError(
      `The service runs, but made no account: ${reason}. Try mediastreamer account add.`,
    );
  }
  return reply;
}

/** Stops the service. @returns a line about it, null if it did not run */
export async function stop(places: Places): Promise<string | null> {
  if (places.hasSystemd) {
    await systemctl('disable', '--now', UNIT);
    return `${UNIT} is stopped and disabled`;
  }
  const pid = serverPid(places.config);
  if (pid === null) return null;
  process.kill(pid, 'SIGTERM');
  const now = monotonicClock();
  for (const untilMs = now() + STOP_MS; serverPid(places.config) === pid; ) {
    if (now() > untilMs) {
      throw new ObstacleError(
        `Process ${pid} did not stop within a minute: kill it, and run init --undo again.`,
      );
    }
    await delay(POLL_MS);
  }
  return `the service (process ${pid}) is stopped`;
}

/** The log of a service that init started in the background. */
export function logFile({ dataDir }: Places): string {
  return join(dataDir, 'mediastreamer.log');
}

/** The process that serves this configuration. */
function serverPid(config: string): number | null {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const args = argumentsOf(entry);
    if (args.includes('serve') && args[args.indexOf('--config') + 1] === config) return Number(entry);
  }
  return null;
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function certificateState(dataDir: string): Promise<CertificateReply | null> {
  return askOperatorSocket<CertificateReply>(dataDir, { command: 'certificate' });
}

async function systemctl(...args: string[]): Promise<void> {
  try {
    await execute('systemctl', args);
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const reason = (stderr || message).trim().split('\n', 1)[0];
    throw new ObstacleError(
      `systemctl ${args.join(' ')} failed: ${reason}. Run init as root; journalctl -u ${UNIT} says more.`,
    );
  }
}

function lastLines(file: string): string {
  if (!existsSync(file)) return 'none';
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_LINES).join(' | ');
}
