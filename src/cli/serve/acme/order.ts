import type { CertificateFiles } from './certificate-file.ts';
import { type Challenges, DnsHookError } from './challenges.ts';

export interface OrderOptions {
  /** URL of the CA's directory. */
  readonly directory: string;
  readonly email: string | null;
  readonly files: CertificateFiles;
  readonly challenges: Challenges;
}

/** No certificate was issued: the CA refused, does not answer, or something here failed. */
export class AcmeError extends Error {
  readonly code = 'acme_failed';
  /** Last part of RFC 8555's error type, such as `rateLimited`; null: none was given. */
  readonly problem: string | null;
  /** Time that the CA asks to wait; null: none. */
  readonly retryAfterMs: number | null;
  /** True if the message is the CA's own, from a problem document. */
  readonly isFromCa: boolean;
  constructor(
    reason: string,
    problem: string | null,
    retryAfterMs: number | null,
    isFromCa = problem !== null,
  ) {
    super(reason);
    this.name = 'AcmeError';
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
    this.isFromCa = isFromCa;
  }
}

/** A CA's problem document (RFC 8555, section 6.7). */
interface Problem {
  readonly reason: string;
  readonly type: string | null;
  readonly retryAfterMs: number | null;
}

/** A response of axios. */
interface Response {
  readonly status: number;
  readonly data: unknown;
  readonly headers: unknown;
  readonly config: { readonly url?: string | undefined };
}

const TIMEOUT_MS = 30_000;
/** Polling of orders and challenges: 1, 2, 4 ... 30 s, some minutes in all. */
const POLLING = { backoffAttempts: 15, backoffMin: 1000, backoffMax: 30_000 };
const MAX_REASON = 500;
/** Begins each error type of ACME (RFC 8555, section 6.7). */
const ERROR_URN = 'urn:ietf:params:acme:error:';

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
  const { axios } = acme;
  axios.defaults.timeout = TIMEOUT_MS;
  // The library's own retries wait within the order, and replace an error without a response by a TypeError of theirs. The
  // keeper waits and tries again, for as long as the CA says.
  axios.interceptors.request.clear();
  axios.interceptors.response.clear();
  // URL -> problem that its last response tells of. The library's errors hold texts only, some of them its own.
  const problems = new Map<string, Problem>();
  const noteProblem = (response: Response): void => {
    const url = response.config.url ?? '';
    const problem = problemOf(response);
    problems.delete(url);
    if (problem !== null) problems.set(url, problem);
  };
  axios.interceptors.response.use(
    (response) => {
      noteProblem(response);
      return response;
    },
    (error: { code?: string; config?: { isRepeated?: boolean } }) => {
      const { code, config } = error;
      // The CA has closed a connection that was kept open: once more, by a new one.
      if (code !== 'ECONNRESET' || config === undefined || config.isRepeated === true) throw error;
      return axios.request(Object.assign<object, object>(config, { isRepeated: true }));
    },
  );
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
    // What fails first is the reason; the others follow from it.
    const [problem] = problems.values();
    const isOwn =
      error instanceof DnsHookError || (error as { isAxiosError?: boolean }).isAxiosError === true;
    if (problem !== undefined && !isOwn)
      throw new AcmeError(problem.reason, problem.type, problem.retryAfterMs, true);
    throw new AcmeError(shortened(ownReason(error, directory)), null, null, false);
  }
}

/** Reads a refusal, or the error of an object that has become invalid; null: the response tells of no problem. */
function problemOf({ status, data, headers }: Response): Problem | null {
  if (!isObject(data)) return null;
  const document = status >= 400 ? data : data['status'] === 'invalid' ? data['error'] : null;
  if (!isObject(document)) return null;
  const { type, detail, subproblems } = document;
  // Other servers on the way send JSON too.
  if (typeof type !== 'string' || !type.startsWith(ERROR_URN)) return null;
  const name = type.slice(ERROR_URN.length);
  const details = [detail, ...(Array.isArray(subproblems) ? subproblems.map(subproblemText) : [])];
  const reason = details.filter((text) => typeof text === 'string' && text !== '').join('; ');
  return { reason: shortened(reason || name), type: name, retryAfterMs: retryAfterOf(headers) };
}

/** One name's part of a problem (RFC 8555, section 6.7.1). */
function subproblemText(problem: unknown): string | null {
  if (!isObject(problem) || typeof problem['detail'] !== 'string') return null;
  const { identifier } = problem;
  const name =
    isObject(identifier) && typeof identifier['value'] === 'string' ? `${identifier['value']}: ` : '';
  return name + problem['detail'];
}

function retryAfterOf(headers: unknown): number | null {
  const after = (headers as Record<string, unknown>)['retry-after'];
  const seconds = /^\d+$/.test(String(after))
    ? Number(after)
    : (Date.parse(String(after)) - Date.now()) / 1000;
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null;
}

/** Tells of a failure that the CA has not explained. */
function ownReason(error: unknown, directory: string): string {
  if (error instanceof DnsHookError) return error.message;
  const { name, message, code, isAxiosError } = error as Error & { code?: string; isAxiosError?: boolean };
  const { host } = new URL(directory);
  if (code !== undefined && /CERT|SIGNATURE/.test(code)) {
    return `the certificate of ${host} is not trusted here (${code}); NODE_EXTRA_CA_CERTS names the root of a CA of your own`;
  }
  if (isAxiosError === true) return `${host} does not answer (${code ?? message})`;
  return `${host} sent something that is not understood (${name === 'Error' ? '' : `${name}: `}${message || 'no reason given'})`;
}

function shortened(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, MAX_REASON);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
