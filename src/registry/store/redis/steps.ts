import type { Profile } from '../../../feed/index.ts';
import type { HostnameState, Source } from '../../types.ts';
import { EVIDENCE, evidenceRank } from '../evidence.ts';
import { prefixKey, prefixOfKey } from '../prefix-key.ts';
import type {
  AccountRecord,
  ClaimPrivateNameResult,
  CredentialTimes,
  HostnameRecord,
  IdempotencyMark,
  LapseStep,
  PrivateNameRecord,
  RegistrationRecord,
  ServiceDayRecord,
  StoreSteps,
  UpdateTokenRecord,
} from '../store.ts';
import { decodeLogEntry } from './keys.ts';
import { bytes, list, orNull, ReplyRecord, text } from './reply.ts';
import type { Reply, StepArguments } from './script.ts';

const DAY_MS = 86_400_000;

/** Converts one step to the script's arguments, and the script's reply to the step's result. */
export interface StepCodec<Name extends keyof StoreSteps> {
  encode(...step: Parameters<StoreSteps[Name]>): StepArguments;
  decode(reply: Reply, ...step: Parameters<StoreSteps[Name]>): ReturnType<StoreSteps[Name]>;
}

type Codecs = { [Name in keyof StoreSteps]: StepCodec<Name> };

/** The names are those that the steps in lua/ read and reply. */
export const CODECS: Codecs = {
  createAccount: {
    encode: ({ account, secretHash, idempotency, nowMs }) => ({
      id: account.id,
      region: JSON.stringify(account.region),
      services: servicesText(account.services),
      perAccount: account.perAccount,
      suspended: account.suspended,
      createdAtMs: account.createdAtMs,
      activeAtMs: account.activeAtMs,
      keep: account.keep,
      secretHash,
      nowMs,
      ...markArguments(idempotency),
    }),
    decode(reply) {
      const result = new ReplyRecord(reply);
      const outcome = result.text('outcome') as 'created' | 'repeated' | 'key-reused';
      return outcome === 'key-reused' ? { outcome } : { outcome, account: accountOf(result.get('account')) };
    },
  },
  getAccount: { encode: (id) => ({ id }), decode: (reply) => orNull(reply, accountOf) },
  listAccounts: {
    encode: ({ after, limit }) => ({ after: after ?? undefined, limit }),
    decode: (reply) => list(reply).map(accountOf),
  },
  findAccountBySecret: {
    encode: (secretHash) => ({ secretHash }),
    decode: (reply) =>
      orNull(reply, (found) => {
        const result = new ReplyRecord(found);
        return { account: accountOf(result.get('account')), secretHash: result.bytes('secretHash') };
      }),
  },
  updateAccount: {
    encode: ({ id, region, services, perAccount, suspended, keep }) => ({
      keep: keep === undefined ? undefined : Number(keep),
      id,
      region: region === undefined ? undefined : JSON.stringify(region),
      services: services === undefined ? undefined : servicesText(services),
      perAccount,
      // Present with 0: it means something else than absent.
      suspended: suspended === undefined ? undefined : Number(suspended),
    }),
    decode: (reply) => orNull(reply, accountOf),
  },
  setSecret: { encode: ({ id, secretHash }) => ({ id, secretHash }), decode: isOne },
  deleteAccount: { encode: (id) => ({ id }), decode: isOne },
  readAccount: {
    encode: (id) => ({ id }),
    decode: (reply) =>
      orNull(reply, (found) => {
        const result = new ReplyRecord(found);
        return {
          account: accountOf(result.get('account')),
          registrations: result.list('registrations').map(registrationOf),
          updateTokens: result.list('updateTokens').map(updateTokenOf),
          hostnames: result.list('hostnames').map(hostnameOf),
          privateNames: result.list('privateNames').map(privateNameOf),
          sessions: credentialTimes(result.list('sessions')),
          links: credentialTimes(result.list('links')),
          tickets: credentialTimes(result.list('tickets')),
          marks: result.list('marks') as number[],
        };
      }),
  },
  register: {
    encode: (step) => ({
      accountId: step.accountId,
      id: step.id,
      prefix: prefixKey(step.prefix),
      keepLabel: step.label === undefined,
      label: step.label ?? undefined,
      source: step.source,
      evidence: evidenceRank(step.evidence),
      replaceOldest: step.replaceOldest,
      movedLabels: step.movedLabels === undefined ? undefined : JSON.stringify(step.movedLabels),
      nowMs: step.nowMs,
      expiresAtMs: step.expiresAtMs,
      ...markArguments(step.idempotency),
    }),
    decode(reply) {
      const result = new ReplyRecord(reply);
      const outcome = result.text('outcome');
      if (outcome === 'no-account' || outcome === 'key-reused') return { outcome };
      if (outcome === 'too-many') return { outcome, perAccount: result.number('perAccount') };
      return {
        outcome: outcome as 'created' | 'renewed',
        registration: registrationOf(result.get('registration')),
        replaced: orNull(result.get('replaced'), registrationOf),
        changed: result.number('changed') === 1,
      };
    },
  },
  removeRegistration: { encode: ({ accountId, id }) => ({ accountId, id }), decode: isOne },
  addCredential: {
    encode: ({ kind, accountId, hash, nowMs, expiresAtMs, limit }) => ({
      kind,
      accountId,
      hash,
      nowMs,
      expiresAtMs,
      limit,
    }),
    decode: isOne,
  },
  findCredential: {
    encode: ({ kind, hash, nowMs }) => ({ kind, hash, nowMs }),
    decode: (reply) =>
      orNull(reply, (found) => {
        const expiresAtMs = new ReplyRecord(found).number('expiresAtMs');
        return { ...accountAndHash(found), expiresAtMs };
      }),
  },
  renewCredential: {
    encode: ({ kind, hash, nowMs, expiresAtMs }) => ({ kind, hash, nowMs, expiresAtMs }),
    decode: isOne,
  },
  redeemCredential: {
    encode: ({ kind, hash, nowMs }) => ({ kind, hash, nowMs }),
    decode: (reply) => orNull(reply, accountAndHash),
  },
  removeCredential: { encode: ({ kind, hash }) => ({ kind, hash }), decode: isOne },
  addUpdateToken: {
    encode: ({ accountId, token, hash, limit, idempotency }) => ({
      accountId,
      id: token.id,
      label: token.label,
      createdAtMs: token.createdAtMs,
      hash,
      limit,
      ...markArguments(idempotency),
    }),
    decode(reply) {
      const result = new ReplyRecord(reply);
      const outcome = result.text('outcome');
      if (outcome === 'created' || outcome === 'repeated') {
        return { outcome, token: updateTokenOf(result.get('token')) };
      }
      return { outcome: outcome as 'too-many' | 'no-account' | 'key-reused' };
    },
  },
  removeUpdateToken: { encode: ({ accountId, id }) => ({ accountId, id }), decode: isOne },
  findAccountByUpdateToken: {
    encode: (hash) => ({ hash }),
    decode: (reply) => orNull(reply, accountAndHash),
  },
  addHostname: {
    encode: ({ accountId, id, hostname, nowMs, limit }) => ({ accountId, id, hostname, nowMs, limit }),
    decode(reply) {
      const result = new ReplyRecord(reply);
      const outcome = result.text('outcome');
      if (outcome === 'created' || outcome === 'exists') {
        return { outcome, hostname: hostnameOf(result.get('hostname')) };
      }
      return { outcome: outcome as 'too-many' | 'no-account' };
    },
  },
  removeHostname: { encode: ({ accountId, id }) => ({ accountId, id }), decode: isOne },
  dueHostnames: {
    encode: ({ nowMs, limit }) => ({ nowMs, limit }),
    decode: (reply) =>
      list(reply).map((due) => {
        const result = new ReplyRecord(due);
        return {
          accountId: result.text('accountId'),
          suspended: result.number('suspended') === 1,
          hostname: hostnameOf(result.get('hostname')),
        };
      }),
  },
  settleHostname: {
    encode: ({ prefixes, ids, families, seen, ...step }) => ({
      ...step,
      seen: seen === null ? undefined : prefixKey(seen),
      families: families.join(''),
      ...Object.fromEntries(
        prefixes.flatMap((prefix, index) => [
          [`prefix${index + 1}`, prefixKey(prefix)],
          [`id${index + 1}`, ids[index]],
        ]),
      ),
    }),
    decode: isOne,
  },
  addPrivateName: {
    encode: ({ accountId, name, hash, limit, idempotency }) => ({
      accountId,
      id: name.id,
      label: name.label,
      homeOnly: name.homeOnly,
      createdAtMs: name.createdAtMs,
      hash,
      limit,
      ...markArguments(idempotency),
    }),
    decode(reply) {
      const result = new ReplyRecord(reply);
      const outcome = result.text('outcome');
      if (outcome === 'created' || outcome === 'repeated') {
        return { outcome, name: privateNameOf(result.get('name')) };
      }
      return { outcome: outcome as 'too-many' | 'no-account' | 'key-reused' };
    },
  },
  changePrivateName: {
    encode: ({ accountId, id, hash, label, homeOnly }) => ({
      accountId,
      id,
      hash,
      label,
      // Present with 0: it means something else than absent.
      homeOnly: homeOnly === undefined ? undefined : Number(homeOnly),
    }),
    decode: (reply) => orNull(reply, privateNameOf),
  },
  removePrivateName: { encode: ({ accountId, id }) => ({ accountId, id }), decode: isOne },
  claimPrivateName: {
    encode: ({ prefix, ...step }) => ({ ...step, prefix: prefixKey(prefix) }),
    decode(reply) {
      const result = new ReplyRecord(reply);
      const outcome = result.text('outcome');
      if (outcome === 'unknown') return { outcome };
      return {
        outcome: outcome as Exclude<ClaimPrivateNameResult['outcome'], 'unknown'>,
        nameId: result.text('nameId'),
        homeOnly: result.number('homeOnly') === 1,
      };
    },
  },
  putServiceDay: {
    encode: ({ day, firstDay, series }) => ({
      day,
      firstDay,
      keepMs: (day - firstDay + 1) * DAY_MS,
      count: series.length,
      ...Object.fromEntries(
        series.flatMap(({ service, region, hours }, index) => [
          [`series${index + 1}`, `${service} ${region}`],
          [`hours${index + 1}`, hours],
        ]),
      ),
    }),
    decode: () => undefined,
  },
  readServiceDays: {
    encode: ({ firstDay, lastDay }) => ({ firstDay, lastDay }),
    decode: (reply) => list(reply).flatMap(serviceDaysOf),
  },
  relabelRegistration: {
    encode: ({ accountId, id, label }) => ({ accountId, id, label: label ?? undefined }),
    decode: (reply) => (reply instanceof Buffer ? 'hostname' : orNull(reply, registrationOf)),
  },
  noticeLapses: { encode: lapseArguments, decode: (count) => count as number },
  lapsingAccounts: {
    encode: ({ limit }) => ({ limit }),
    decode: (reply) =>
      list(reply).map((one) => {
        const found = new ReplyRecord(one);
        return { account: accountOf(found.get('account')), erasesAtMs: found.number('erasesAtMs') };
      }),
  },
  eraseLapsed: { encode: lapseArguments, decode: (reply) => list(reply).map(text) },
  expireLeases: {
    encode: ({ nowMs, limit }) => ({ nowMs, limit }),
    decode: (count) => count as number,
  },
  trimLog: { encode: (throughSeq) => ({ throughSeq }), decode: () => undefined },
  changesSince: {
    encode: ({ seq, limit }) => ({ seq, limit }),
    decode: (reply, { seq }) =>
      orNull(reply, (found) =>
        new ReplyRecord(found)
          .list('changes')
          .map((change, index) => decodeLogEntry(seq + index + 1, bytes(change))),
      ) ?? 'gap',
  },
  state: {
    encode: () => ({}),
    decode(reply) {
      const result = new ReplyRecord(reply);
      return { epoch: result.text('epoch'), seq: result.number('seq') };
    },
  },
};

/** Services as the store keeps them: JSON of the pairs, sorted by name, as in a profile's text. */
export function servicesText(services: Profile['services']): string {
  return JSON.stringify(Object.entries(services).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function accountOf(reply: Reply): AccountRecord {
  const account = new ReplyRecord(reply);
  return {
    id: account.text('id'),
    region: JSON.parse(account.text('region')),
    perAccount: account.number('perAccount'),
    suspended: account.number('suspended') === 1,
    services: Object.fromEntries(JSON.parse(account.text('services'))),
    createdAtMs: account.number('createdAtMs'),
    activeAtMs: account.number('activeAtMs'),
    keep: account.number('keep') === 1,
  };
}

export function registrationOf(reply: Reply): RegistrationRecord {
  const registration = new ReplyRecord(reply);
  return {
    id: registration.text('id'),
    prefix: prefixOfKey(registration.bytes('prefix')),
    label: registration.textOrNull('label'),
    source: registration.text('source') as Source,
    evidence: EVIDENCE[registration.number('evidence')],
    createdAtMs: registration.number('createdAtMs'),
    expiresAtMs: registration.number('expiresAtMs'),
  };
}

export function updateTokenOf(reply: Reply): UpdateTokenRecord {
  const token = new ReplyRecord(reply);
  return { id: token.text('id'), label: token.text('label'), createdAtMs: token.number('createdAtMs') };
}

export function hostnameOf(reply: Reply): HostnameRecord {
  const name = new ReplyRecord(reply);
  return {
    id: name.text('id'),
    hostname: name.text('hostname'),
    state: name.text('state') as HostnameState,
    createdAtMs: name.number('createdAtMs'),
    checkedAtMs: name.numberOrNull('checkedAtMs'),
  };
}

export function privateNameOf(reply: Reply): PrivateNameRecord {
  const name = new ReplyRecord(reply);
  return {
    id: name.text('id'),
    label: name.text('label'),
    homeOnly: name.number('homeOnly') === 1,
    createdAtMs: name.number('createdAtMs'),
    held: [name.textOrNull('ipv4'), name.textOrNull('ipv6')].filter((id) => id !== null),
  };
}

function credentialTimes(replies: readonly Reply[]): CredentialTimes[] {
  return replies
    .map(sessionOf)
    .sort((a, b) => a.createdAtMs - b.createdAtMs || a.expiresAtMs - b.expiresAtMs);
}

function lapseArguments({ nowMs, lapsedDays, limit }: LapseStep): StepArguments {
  return { nowMs, lapsedDays: lapsedDays ?? undefined, limit };
}

export function sessionOf(reply: Reply): { createdAtMs: number; expiresAtMs: number } {
  const session = new ReplyRecord(reply);
  return { createdAtMs: session.number('createdAtMs'), expiresAtMs: session.number('expiresAtMs') };
}

/** One day's series, ordered by service and region. */
function serviceDaysOf(reply: Reply): ServiceDayRecord[] {
  const found = new ReplyRecord(reply);
  const day = found.number('day');
  const fields = found.list('fields').map(text);
  const records: ServiceDayRecord[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const [service, region] = fields[index].split(' ');
    records.push({ day, service, region, hours: fields[index + 1] });
  }
  return records.sort((a, b) => compare(a.service, b.service) || compare(a.region, b.region));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function markArguments(mark: IdempotencyMark | null): StepArguments {
  if (mark === null) return {};
  return { markKey: mark.key, markFingerprint: mark.fingerprint, markExpiresAtMs: mark.expiresAtMs };
}

function accountAndHash(reply: Reply): { account: AccountRecord; hash: Uint8Array } {
  const result = new ReplyRecord(reply);
  return { account: accountOf(result.get('account')), hash: result.bytes('hash') };
}

function isOne(reply: Reply): boolean {
  return reply === 1;
}
