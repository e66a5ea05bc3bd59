import { type ControlOptions, DEFAULT_CHANGE_LIMITS } from './options.ts';
import { ProblemError } from './problem.ts';
import { Throttle } from './throttle.ts';

/**
 * Limits how often an account may change anything. Each change of regions can take a profile number on every edge, so a
 * flood of them by one account would use up what all accounts share. The operator's calls are not limited.
 */
export class ChangeLimit {
  private readonly policy: string;
  private readonly throttle: Throttle;

  constructor({ changes, now }: Pick<ControlOptions, 'changes' | 'now'>) {
    const { changes: limit, windowSeconds, accounts } = { ...DEFAULT_CHANGE_LIMITS, ...changes };
    this.policy = `"changes";q=${limit};w=${windowSeconds}`;
    this.throttle = new Throttle({ limit, windowSeconds, sources: accounts, now });
  }

  /**
   * Counts a change. Returns the header fields of its reply (draft-ietf-httpapi-ratelimit-headers).
   *
   * @throws Problem `too_many_changes`
   */
  count(accountId: string): Record<string, string> {
    const { isOver, remaining, resetSeconds } = this.throttle.take(accountId);
    const headers = {
      'ratelimit-policy': this.policy,
      ratelimit: `"changes";r=${remaining};t=${resetSeconds}`,
    };
    if (!isOver) return headers;
    throw new ProblemError('too_many_changes', {
      headers: { ...headers, 'retry-after': String(resetSeconds) },
    });
  }
}
