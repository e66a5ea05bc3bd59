import type { Config } from '../../../config/index.ts';
import { type AskControl, ClaimDesk, ClaimOutcome, type PrivateNames } from '../../../dns/index.ts';
import { type Address, addressFromBytes, formatAddress, type Source } from '../../../net/index.ts';
import type { PrivateClaim, Registry } from '../../../registry/index.ts';

/** Clients of DNS wait about 5 s. */
const TIMEOUT_MS = 3000;

const OUTCOMES: Readonly<Record<PrivateClaim, ClaimOutcome>> = {
  registered: ClaimOutcome.REGISTERED,
  waiting: ClaimOutcome.LIVE,
  too_many_addresses: ClaimOutcome.LIVE,
  unknown: ClaimOutcome.DEAD,
};

/** The control does not accept or answer an edge's claims. */
export class ClaimError extends Error {
  readonly code = 'private_names_not_claimed';
  constructor(cause: string) {
    super(`the control does not take private names: ${cause}`);
    this.name = 'ClaimError';
  }
}

export interface ClaimsOptions {
  readonly config: Config;
  /** Null: the API of another process is called. */
  readonly registry: Registry | null;
  readonly seed: number;
  now(): number;
  /** Called when the control does not answer, and with null when it does again. */
  onState(error: unknown): void;
}

/** Private names of an edge; null if there are none. */
export function privateNamesOf(options: ClaimsOptions): PrivateNames | null {
  const { config, registry, seed, now, onState } = options;
  const { domain } = config.privateNames;
  if (domain === null) return null;
  const ask = registry === null ? askApi(config) : askRegistry(registry);
  const desk = new ClaimDesk({ ask: watched(ask, onState), seed, now });
  return { domain, claim: (claim) => desk.claim(claim) };
}

function askRegistry({ privateNames }: Registry): AskControl {
  return async ({ token, source }) => OUTCOMES[await privateNames.claim(token, addressOf(source))];
}

/** Asks over HTTP. The edge's key opens this call and no other. */
function askApi({ privateNames: { controlUrl, edgeKey }, control }: Config): AskControl {
  const url = new URL('/v1/private-names/claims', controlUrl ?? control.publicUrl);
  const headers = { authorization: `Bearer ${edgeKey}`, 'content-type': 'application/json' };
  return async ({ token, source }) => {
    const body = JSON.stringify({ token, address: formatAddress(addressOf(source)) });
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const reply = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' });
    if (!reply.ok) {
      await reply.body?.cancel();
      throw new ClaimError(`status ${reply.status}`);
    }
    const { outcome } = (await reply.json()) as { outcome: PrivateClaim };
    return OUTCOMES[outcome] ?? ClaimOutcome.DEAD;
  };
}

/** Reports a failure once, until an answer comes. */
function watched(ask: AskControl, onState: (error: unknown) => void): AskControl {
  let isFailing = false;
  return async (claim) => {
    try {
      const outcome = await ask(claim);
      if (isFailing) onState(null);
      isFailing = false;
      return outcome;
    } catch (error) {
      if (!isFailing) onState(error);
      isFailing = true;
      throw error;
    }
  };
}

function addressOf({ family, words }: Source): Address {
  const bytes = Buffer.alloc(family === 4 ? 4 : 16);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeInt32BE(words[at / 4] | 0, at);
  return addressFromBytes(bytes);
}
