import type { Profile } from '../../../feed/index.ts';
import type { Source } from '../../types.ts';
import { prefixKey, prefixOfKey } from '../prefix-key.ts';
import type {
  AccountRecord,
  HostnameRecord,
  HostnameState,
  IdempotencyMark,
  RegistrationRecord,
  StoreSteps,
  UpdateTokenRecord,
} from '../store.ts';
import { decodeLogEntry } from './keys.ts';
import type { Reply, ScriptArgument } from './script.ts';

/** How one step becomes arguments of the script, and the script's reply what the step gives. */
export interface StepCodec<Name extends keyof StoreSteps> {
  encode(...step: Parameters<StoreSteps[Name]>): ScriptArgument[];
  decode(reply: Reply[], ...step: Parameters<StoreSteps[Name]>): ReturnType<StoreSteps[Name]>;
}

type Codecs = { [Name in keyof StoreSteps]: StepCodec<Name> };

/** In the order in which the steps of lua/steps.lua read them. */
export const CODECS: Codecs = {
  createAccount: {
    encode: ({ account, secretHash, idempotency, nowMs }) => [
      account.id,
      JSON.stringify(account.region),
      servicesText(account.services),
      account.perAccount,
      flag(account.suspended),
      account.createdAtMs,
      secretHash,
      ...markArguments(idempotency),
      nowMs,
    ],
    decode: ([outcome, account]) => {
      const word = text(outcome);
      if (word === 'key-reused') return { outcome: word };
      return { outcome: word as 'created' | 'repeated', account: accountOf(account) };
    },
  },
  getAccount: { encode: (id) => [id], decode: ([account]) => orNull(account, accountOf) },
  listAccounts: {
    encode: ({ after, limit }) => [after ?? '', limit],
    decode: ([accounts]) => list(accounts).map(accountOf),
  },
  findAccountBySecret: {
    encode: (hash) => [hash],
    decode: ([found]) =>
      orNull(found, (pair) => {
        const [account, secretHash] = list(pair);
        return { account: accountOf(account), secretHash: bytes(secretHash) };
      }),
  },
  updateAccount: {
    encode: ({ id, region, services, perAccount, suspended }) => [
      id,
      region === undefined ? '' : JSON.stringify(region),
      services === undefined ? '' : servicesText(services),
      perAccount ?? '',
      suspended === undefined ? '' : flag(suspended),
    ],
    decode: ([account]) => orNull(account, accountOf),
  },
  setSecret: { encode: ({ id, secretHash }) => [id, secretHash], decode: isOne },
  deleteAccount: { encode: (id) => [id], decode: isOne },
  readAccount: {
    encode: (id) => [id],
    decode: ([found]) =>
      orNull(found, (parts) => {
        const [account, registrations, tokens, hostnames, sessions] = list(parts);
        return {
          account: accountOf(account),
          registrations: list(registrations).map(registrationOf),
          updateTokens: list(tokens).map(tokenOf),
          hostnames: list(hostnames).map(hostnameOf),
          sessions: list(sessions)
            .map((session) => {
              const [createdAtMs, expiresAtMs] = list(session) as number[];
              return { createdAtMs, expiresAtMs };
            })
            .sort((a, b) => a.createdAtMs - b.createdAtMs || a.expiresAtMs - b.expiresAtMs),
        };
      }),
  },
  register: {
    encode: (step) => [
      step.accountId,
      step.id,
      prefixKey(step.prefix),
      step.label === undefined ? 0 : step.label === null ? 1 : 2,
      step.label ?? '',
      step.source,
      flag(step.replaceOldest),
      step.nowMs,
      step.expiresAtMs,
      ...markArguments(step.idempotency),
      ...(step.movedLabels ?? []),
    ],
    decode: ([outcome, registration, replaced, changed]) => {
      const word = text(outcome);
      if (word === 'no-account' || word === 'key-reused') return { outcome: word };
      if (word === 'too-many') return { outcome: word, perAccount: registration as number };
      return {
        outcome: word as 'created' | 'renewed',
        registration: registrationOf(registration),
        replaced: orNull(replaced, registrationOf),
        changed: changed === 1,
      };
    },
  },
  removeRegistration: { encode: ({ accountId, id }) => [accountId, id], decode: isOne },
  addPass: {
    encode: ({ kind, accountId, hash, nowMs, expiresAtMs, limit }) => [
      kind,
      accountId,
      hash,
      nowMs,
      expiresAtMs,
      limit,
    ],
    decode: isOne,
  },
  findPass: {
    encode: ({ kind, hash, nowMs }) => [kind, hash, nowMs],
    decode: ([found]) =>
      orNull(found, (parts) => {
        const [account, hash, expiresAtMs] = list(parts);
        return { account: accountOf(account), hash: bytes(hash), expiresAtMs: expiresAtMs as number };
      }),
  },
  renewPass: {
    encode: ({ kind, hash, nowMs, expiresAtMs }) => [kind, hash, nowMs, expiresAtMs],
    decode: isOne,
  },
  takePass: {
    encode: ({ kind, hash, nowMs }) => [kind, hash, nowMs],
    decode: ([found]) => orNull(found, accountAndHash),
  },
  removePass: { encode: ({ kind, hash }) => [kind, hash], decode: isOne },
  addUpdateToken: {
    encode: ({ accountId, token, hash, limit, idempotency }) => [
      accountId,
      token.id,
      token.label,
      token.createdAtMs,
      hash,
      limit,
      ...markArguments(idempotency),
    ],
    decode: ([outcome, token]) => {
      const word = text(outcome);
      if (word === 'created' || word === 'repeated') return { outcome: word, token: tokenOf(token) };
      return { outcome: word as 'too-many' | 'no-account' | 'key-reused' };
    },
  },
  removeUpdateToken: { encode: ({ accountId, id }) => [accountId, id], decode: isOne },
  findAccountByUpdateToken: {
    encode: (hash) => [hash],
    decode: ([found]) => orNull(found, accountAndHash),
  },
  addHostname: {
    encode: ({ accountId, id, hostname, nowMs, limit }) => [accountId, id, hostname, nowMs, limit],
    decode: ([outcome, hostname]) => {
      const word = text(outcome);
      if (word === 'created' || word === 'exists') return { outcome: word, hostname: hostnameOf(hostname) };
      return { outcome: word as 'too-many' | 'no-account' };
    },
  },
  removeHostname: { encode: ({ accountId, id }) => [accountId, id], decode: isOne },
  dueHostnames: {
    encode: ({ nowMs, limit }) => [nowMs, limit],
    decode: ([found]) =>
      list(found).map((pair) => {
        const [accountId, hostname] = list(pair);
        return { accountId: text(accountId), hostname: hostnameOf(hostname) };
      }),
  },
  settleHostname: {
    encode: (step) => [
      step.accountId,
      step.id,
      step.state,
      step.nowMs,
      step.expiresAtMs,
      step.renewBeforeMs,
      step.nextAtMs,
      step.families.join(''),
      step.prefixes.length,
      ...step.prefixes.flatMap((prefix, index) => [prefixKey(prefix), step.ids[index]]),
    ],
    decode: isOne,
  },
  expireLeases: { encode: ({ nowMs, limit }) => [nowMs, limit], decode: ([count]) => count as number },
  trimLog: { encode: (throughSeq) => [throughSeq], decode: () => undefined },
  changesSince: {
    encode: ({ seq, limit }) => [seq, limit],
    decode: ([changes], { seq }) =>
      Array.isArray(changes)
        ? changes.map((change, index) => decodeLogEntry(seq + index + 1, bytes(change)))
        : 'gap',
  },
  state: { encode: () => [], decode: ([epoch, seq]) => ({ epoch: text(epoch), seq: seq as number }) },
};

/** Services as the store keeps them: JSON of the pairs, sorted by name, as a profile's text has them. */
export function servicesText(services: Profile['services']): string {
  return JSON.stringify(Object.entries(services).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function markArguments(mark: IdempotencyMark | null): ScriptArgument[] {
  return mark === null ? ['', '', ''] : [mark.key, mark.fingerprint, mark.expiresAtMs];
}

export function flag(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}

export function text(reply: Reply): string {
  return (reply as Buffer).toString('utf8');
}

export function bytes(reply: Reply): Uint8Array {
  return new Uint8Array(reply as Buffer);
}

export function list(reply: Reply): Reply[] {
  return reply as Reply[];
}

export function orNull<Value>(reply: Reply, make: (reply: Reply) => Value): Value | null {
  return reply === null || reply === undefined ? null : make(reply);
}

export function accountOf(reply: Reply): AccountRecord {
  const [id, region, perAccount, suspended, services, createdAt] = list(reply);
  return {
    id: text(id),
    region: JSON.parse(text(region)),
    perAccount: perAccount as number,
    suspended: suspended === 1,
    services: Object.fromEntries(JSON.parse(text(services))),
    createdAtMs: createdAt as number,
  };
}

function registrationOf(reply: Reply): RegistrationRecord {
  const [id, prefix, createdAt, expiresAt, source, label] = list(reply);
  return {
    id: text(id),
    prefix: prefixOfKey(bytes(prefix)),
    label: orNull(label, text),
    source: text(source) as Source,
    createdAtMs: createdAt as number,
    expiresAtMs: expiresAt as number,
  };
}

function tokenOf(reply: Reply): UpdateTokenRecord {
  const [id, label, createdAt] = list(reply);
  return { id: text(id), label: text(label), createdAtMs: createdAt as number };
}

function hostnameOf(reply: Reply): HostnameRecord {
  const [id, hostname, state, createdAt, checkedAt] = list(reply);
  return {
    id: text(id),
    hostname: text(hostname),
    state: text(state) as HostnameState,
    createdAtMs: createdAt as number,
    checkedAtMs: (checkedAt ?? null) as number | null,
  };
}

function accountAndHash(reply: Reply): { account: AccountRecord; hash: Uint8Array } {
  const [account, hash] = list(reply);
  return { account: accountOf(account), hash: bytes(hash) };
}

function isOne([reply]: Reply[]): boolean {
  return reply === 1;
}
