import type { CertificateFiles } from './certificate-file.ts';
import type { Challenges } from './challenges.ts';

export interface OrderOptions {
  /** URL of the CA's directory. */
  readonly directory: string;
  readonly email: string | null;
  readonly files: CertificateFiles;
  readonly challenges: Challenges;
}

/** The CA refused an order or does not answer. The message is the CA's own reason. */
export class AcmeError extends Error {
  readonly code = 'acme_failed';
  /** Last part of RFC 8555's error type, such as `rateLimited`; null: none was given. */
  readonly problem: string | null;
  /** Time that the CA asks to wait; null: none. */
  readonly retryAfterMs: number | null;
  constructor(reason: string, problem: string | null, retryAfterMs: number | null) {
    super(reason);
    this.name = 'AcmeError';
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The CA's problem document (RFC 8555, section 6.7). */
interface Problem {
  readonly type: string | null;
  readonly retryAfterMs: number | null;
}

const TIMEOUT_MS = 30_000;
/** Polling of orders and challenges: 1, 2, 4 ... 30 s, some minutes in all. */
const POLLING = { backoffAttempts: 15, backoffMin: 1000, backoffMax: 30_000 };
const MAX_REASON = 500;

/**
 * Orders a certificate for the names: HTTP-01, and DNS-01 for wildcards.
 * @returns chain and key, both PEM
 * @throws AcmeError
 */
export async function orderCertificate(
  names: readonly string[],
  { directory, email, files, challenges }: OrderOptions,
): Promise<{ chain: string; key: string }> {
  // Imported lazily: the library is needed every two months only.
  const acme = await import('acme-client');
  let problem: Problem = { type: null, retryAfterMs: null };
  const { axios } = acme;
  axios.defaults.timeout = TIMEOUT_MS;
  // The keeper waits and tries again, for as long as the CA says.
  Object.assign((axios.defaults as unknown as { acmeSettings: object }).acmeSettings, {
    retryMaxAttempts: 0,
  });
  const watch = axios.interceptors.response.use((response) => {
    if (response.status >= 400) problem = problemOf(response);
    return response;
  });
  try {
    const accountKey = await files.accountKey(async () => String(await acme.crypto.createPrivateEcdsaKey()));
    const [key, csr] = await acme.crypto.createCsr(
      { commonName: names[0]!, altNames: [...names] },
      await acme.crypto.createPrivateEcdsaKey(),
    );
    const client = new acme.Client({ directoryUrl: directory, accountKey, ...POLLING });
    const chain = await client.auto({
      csr,
      termsOfServiceAgreed: true,
      ...(email !== null && { email }),
      // The CA is who must see them; this host may not even reach its own public address.
      skipChallengeVerification: true,
      challengePriority: ['http-01', 'dns-01'],
      async challengeCreateFn({ identifier }, challenge, keyAuthorization) {
        if (challenge.type === 'http-01') challenges.addHttp(challenge.token, keyAuthorization);
        else await challenges.addDns(identifier.value, keyAuthorization);
      },
      async challengeRemoveFn({ identifier }, challenge, keyAuthorization) {
        if (challenge.type === 'http-01') challenges.removeHttp(challenge.token);
        else await challenges.removeDns(identifier.value, keyAuthorization);
      },
    });
    return { chain, key: String(key) };
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    const reason = (message || code || 'no reason given').replace(/\s+/g, ' ').slice(0, MAX_REASON);
    throw new AcmeError(reason, problem.type, problem.retryAfterMs);
  } finally {
    axios.interceptors.response.eject(watch);
  }
}

function problemOf({ data, headers }: { data: unknown; headers: unknown }): Problem {
  const type = (data as { type?: unknown } | null)?.type;
  const after = (headers as Record<string, unknown>)['retry-after'];
  const seconds = /^\d+$/.test(String(after))
    ? Number(after)
    : (Date.parse(String(after)) - Date.now()) / 1000;
  return {
    type: typeof type === 'string' ? (type.split(':').at(-1) ?? null) : null,
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null,
  };
}
