import type { CheckSummary, EntryReport, ProbeOutcome } from '../../catalog/health/index.ts';
import type { CheckPlan } from './plan.ts';

const OUTCOME_TEXTS: Readonly<Record<ProbeOutcome, string>> = {
  ok: 'answers',
  draining: 'relay drains',
  unreachable: 'relay does not answer',
  timeout: 'timeout',
  closed: 'relay rejects this host',
  unlisted: 'not in the relay catalog',
  'no-address': 'no address',
  forbidden: 'address not relayed to',
  'origin-unreachable': 'origin does not answer',
  'origin-refuses': 'origin refuses',
  certificate: 'certificate not valid',
  untried: 'not tried from here',
};
const OUTCOME_WIDTH = Math.max(...Object.values(OUTCOME_TEXTS).map(({ length }) => length));

/** Builds the object that --json prints. */
export function checkAsJson(plan: CheckPlan, reports: readonly EntryReport[], summary: CheckSummary) {
  const names = reports.map(({ name, isSuffix, outcome, tried }) => ({
    name,
    kind: isSuffix ? 'suffix' : 'exact',
    outcome,
    tried: tried.map(({ host, outcome: result, milliseconds }) => ({
      host,
      outcome: result,
      relay: plan.relayFor(host),
      milliseconds: Math.round(milliseconds),
    })),
  }));
  const { service, region } = plan;
  return { service, region, ...summary, names };
}

/** Formats the result as lines for people. */
export function checkAsText(
  plan: CheckPlan,
  reports: readonly EntryReport[],
  summary: CheckSummary,
): string[] {
  const relays = [...new Set(plan.entries.flatMap(({ hosts }) => hosts.map(plan.relayFor)))].join(', ');
  const where = plan.region === null ? '' : ` of ${plan.region}`;
  const lines = reports.map(({ name, outcome, tried }) => {
    const last = tried.at(-1)!;
    const time = outcome === 'ok' ? `  ${last.host} in ${Math.round(last.milliseconds)} ms` : '';
    return `  ${OUTCOME_TEXTS[outcome].padEnd(OUTCOME_WIDTH)}  ${name}${time}`;
  });
  const { answer, noAddress, fail } = summary;
  const counts = `${reports.length} names: ${answer} answer, ${noAddress} have no address, ${fail} fail`;
  const isRejected = reports.some(({ outcome }) => outcome === 'closed');
  const hint = isRejected ? ['The relay rejects this host: add it to relay.probeSources there.'] : [];
  return [`${plan.service} through ${relays}${where}`, ...lines, counts, ...hint];
}
