import type { Account, Registration, Registry } from '../../../registry/index.ts';
import type { AccountRequest } from './socket.ts';

/** A link that signs a person in to the page, once. */
export interface SignInLink {
  readonly url: string;
  /** ISO 8601, UTC. */
  readonly expiresAt: string;
}

export type AccountReply =
  | { readonly account: Account; readonly secret: string; readonly link: SignInLink }
  | { readonly account: Account; readonly registrations: readonly Registration[] }
  | { readonly accounts: readonly Account[]; readonly next: string | null }
  | { readonly link: SignInLink }
  | { readonly removed: string };

export type AccountAnswer = AccountReply | { readonly error: string };

export interface AccountOptions {
  readonly registry: Registry;
  /** Base of sign-in links: control.publicUrl. */
  readonly publicUrl: string;
}

const PAGE_LIMIT = 500;

/** Runs an account command with the operator's rights. Errors of the registry become its answer. */
export async function runAccountCommand(
  request: AccountRequest,
  options: AccountOptions,
): Promise<AccountAnswer> {
  try {
    return (await answer(request, options)) ?? { error: 'there is no account with this id' };
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code !== 'string' || code.startsWith('ERR_')) throw error;
    return { error: message };
  }
}

/** Null: no such account. */
async function answer(request: AccountRequest, options: AccountOptions): Promise<AccountReply | null> {
  const { registry } = options;
  const { command, id, region, perAccount } = request;
  if (command === 'account-add') {
    const { account, secret } = await registry.createAccount({
      ...(region === null ? {} : { region }),
      ...(perAccount === null ? {} : { perAccount }),
    });
    return { account, secret, link: (await makeLink(account.id, options))! };
  }
  if (command === 'account-list') {
    return registry.listAccounts({ limit: PAGE_LIMIT, ...(id === null ? {} : { after: id }) });
  }
  if (id === null) return null;
  if (command === 'account-show') {
    const held = await registry.readAccount(id);
    return held === null ? null : { account: held.account, registrations: held.registrations };
  }
  if (command === 'account-link') {
    const link = await makeLink(id, options);
    return link === null ? null : { link };
  }
  return (await registry.deleteAccount(id)) ? { removed: id } : null;
}

/** Null: no such account. */
async function makeLink(id: string, { registry, publicUrl }: AccountOptions): Promise<SignInLink | null> {
  // Imported lazily: it brings Fastify, which only a control has loaded.
  const { signInUrl } = await import('../../../control/index.ts');
  const link = await registry.credentials.make('link', id);
  return link === null ? null : { url: signInUrl(publicUrl, link.secret), expiresAt: link.expiresAt };
}
