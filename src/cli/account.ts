import { askRunning } from './ask-running.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseArguments } from './options.ts';
import { readConfig } from './read-config.ts';
import type { AccountAnswer, AccountReply } from './serve/operator/accounts.ts';
import type { AccountRequest } from './serve/operator/socket.ts';

const USAGE = `Usage: mediastreamer account add [--region REGION] [--per-account N] [--json] [--config FILE]
       mediastreamer account list [--json] [--config FILE]
       mediastreamer account show | link | remove ID [--json] [--config FILE]

Talks to the control that runs with this configuration; run it as that process's user. No key is needed.

add     makes an account. Prints its secret, which is shown this once, and a sign-in link.
list    lists all accounts.
show    shows an account and its registered addresses.
link    makes a link that signs a person in to the DNS Settings page, once, within 5 minutes.
remove  erases the account and everything it holds. Its addresses are no longer answered.

  --region REGION    region of the new account; default: the configuration's
  --per-account N    addresses that it may register at a time; default: the configuration's
  --json             print one JSON object
  --config FILE      configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 done, 1 nothing was done, 2 bad usage.
`;

const ACTIONS = ['add', 'list', 'show', 'link', 'remove'] as const;
type Action = (typeof ACTIONS)[number];

const OPTIONS = {
  config: { type: 'string' },
  json: { type: 'boolean' },
  region: { type: 'string' },
  'per-account': { type: 'string' },
} as const;

async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArguments(args, OPTIONS);
  const { action, request } = readRequest(positionals, values.region, values['per-account']);
  const { dataDir } = readConfig(values.config, io).config;
  const reply = action === 'list' ? await listAll(dataDir, request, io) : await ask(dataDir, request, io);
  if (reply === null) return 1;
  io.out(values.json === true ? JSON.stringify(jsonOf(reply)) : textOf(reply));
  return 0;
}

function readRequest(
  [action, id, ...more]: readonly string[],
  region: string | undefined,
  perAccount: string | undefined,
): { action: Action; request: AccountRequest } {
  if (!isAction(action)) throw new UsageError(`expected ${ACTIONS.slice(0, -1).join(', ')} or remove`);
  const needsId = action !== 'add' && action !== 'list';
  if (needsId !== (id !== undefined) || more.length > 0) {
    throw new UsageError(
      needsId ? `expected ${action} with one account id` : `expected ${action} without an id`,
    );
  }
  if (action !== 'add' && (region ?? perAccount) !== undefined) {
    throw new UsageError('expected --region and --per-account with add only');
  }
  if (perAccount !== undefined && !/^\d{1,6}$/.test(perAccount)) {
    throw new UsageError('expected --per-account with a number');
  }
  const request = {
    command: `account-${action}` as const,
    id: id ?? null,
    region: region ?? null,
    perAccount: perAccount === undefined ? null : Number(perAccount),
  };
  return { action, request };
}

function isAction(text: string | undefined): text is Action {
  return ACTIONS.some((action) => action === text);
}

function ask(dataDir: string, request: AccountRequest, io: Io): Promise<AccountReply | null> {
  return askRunning<AccountAnswer>(dataDir, request, 'control', io);
}

/** Reads the list page by page. */
async function listAll(dataDir: string, request: AccountRequest, io: Io): Promise<AccountReply | null> {
  const accounts = [];
  for (let after: string | null = null; ; ) {
    const page: AccountReply | null = await ask(dataDir, { ...request, id: after }, io);
    if (page === null || !('accounts' in page)) return page;
    accounts.push(...page.accounts);
    if (page.next === null) return { accounts, next: null };
    after = page.next;
  }
}

/** The API's shapes: a new account has its secret among its own fields. */
function jsonOf(reply: AccountReply): object {
  if ('accounts' in reply) return { accounts: reply.accounts };
  if ('secret' in reply) return { ...reply.account, secret: reply.secret, link: reply.link };
  if ('registrations' in reply) return { ...reply.account, registrations: reply.registrations };
  return 'link' in reply ? reply.link : reply;
}

function textOf(reply: AccountReply): string {
  if ('accounts' in reply) {
    if (reply.accounts.length === 0) return 'no accounts: mediastreamer account add makes one';
    return reply.accounts.map(accountLine).join('\n');
  }
  if ('secret' in reply) {
    return [
      `account ${accountLine(reply.account)}`,
      `secret  ${reply.secret}  (shown this once)`,
      `sign in ${reply.link.url}  (once, until ${reply.link.expiresAt})`,
    ].join('\n');
  }
  if ('registrations' in reply) {
    const lines = reply.registrations.map(
      ({ address, label, source, expiresAt }) =>
        `  ${address}  ${label ?? 'no label'}  by ${source}, until ${expiresAt}`,
    );
    return [accountLine(reply.account), ...(lines.length > 0 ? lines : ['  no registered addresses'])].join(
      '\n',
    );
  }
  if ('link' in reply) return `${reply.link.url}\nworks once, until ${reply.link.expiresAt}`;
  return `${reply.removed} is erased`;
}

function accountLine({
  id,
  region,
  perAccount,
  suspended,
}: {
  id: string;
  region: string;
  perAccount: number;
  suspended: boolean;
}): string {
  return `${id}  ${region}, ${perAccount} addresses${suspended ? ', suspended' : ''}`;
}

export const command: Command = {
  name: 'account',
  summary: 'add, list, show and remove accounts; make sign-in links',
  usage: USAGE,
  run,
};
