import type { Service } from '../service.ts';
import type { ProbeOutcome, ProbeReport } from './probe-outcome.ts';

/** A name of a catalog file, and the hosts to try for it. */
export interface CheckedEntry {
  readonly name: string;
  /** True if it stands for all names below it, too. */
  readonly isSuffix: boolean;
  /** Host names to try until one answers. */
  readonly hosts: readonly string[];
}

export interface EntryReport extends CheckedEntry {
  readonly outcome: ProbeOutcome;
  readonly tried: readonly (ProbeReport & { readonly host: string })[];
}

/** Hosts to try for each name of a service: the name itself and, for a suffix, `www.` of it. */
export function entriesOf({ names, exact }: Pick<Service, 'names' | 'exact'>): CheckedEntry[] {
  return [
    ...names.map((name) => ({ name, isSuffix: true, hosts: [name, `www.${name}`] })),
    ...exact.map((name) => ({ name, isSuffix: false, hosts: [name] })),
  ];
}

/**
 * Connects to the hosts of all entries with bounded concurrency.
 * @param probe connects to a host name through its relay
 * @returns a report for each entry, in their order
 */
export async function checkEntries(
  entries: readonly CheckedEntry[],
  probe: (host: string) => Promise<ProbeReport>,
  concurrency: number,
): Promise<EntryReport[]> {
  const reports: EntryReport[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < entries.length) {
      const index = next++;
      reports[index] = await checkEntry(entries[index], probe);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return reports;
}

async function checkEntry(
  entry: CheckedEntry,
  probe: (host: string) => Promise<ProbeReport>,
): Promise<EntryReport> {
  const tried: (ProbeReport & { host: string })[] = [];
  for (const host of entry.hosts) {
    tried.push({ host, ...(await probe(host)) });
    if (tried.at(-1)!.outcome === 'ok') break;
  }
  const outcomes = tried.map(({ outcome }) => outcome);
  // A host without an address says less than one that has an address and does not answer.
  const outcome = outcomes.includes('ok')
    ? 'ok'
    : (outcomes.find((each) => each !== 'no-address') ?? 'no-address');
  return { ...entry, outcome, tried };
}

/** Summary of a service's reports. */
export interface CheckSummary {
  readonly answer: number;
  readonly noAddress: number;
  readonly fail: number;
  /**
   * - ok: everything testable answers
   * - names-fail: an entry fails, an exact name has no address, or nothing answers
   * - relay-fails: the relay failed every time, so nothing is known about the names
   */
  readonly verdict: 'ok' | 'names-fail' | 'relay-fails';
}

const RELAY_FAILS: readonly ProbeOutcome[] = ['unreachable', 'draining', 'closed', 'untried'];

/**
 * @param isStrict counts a suffix without an address as failed; suffixes of content networks often have none
 */
export function summarize(reports: readonly EntryReport[], isStrict: boolean): CheckSummary {
  const answer = reports.filter(({ outcome }) => outcome === 'ok').length;
  const noAddress = reports.filter(({ outcome }) => outcome === 'no-address').length;
  const fail = reports.length - answer - noAddress;
  const isFailure = ({ outcome, isSuffix }: EntryReport): boolean =>
    outcome === 'no-address' ? isStrict || !isSuffix : outcome !== 'ok';
  const isRelay = reports.every(({ outcome }) => RELAY_FAILS.includes(outcome));
  const verdict = isRelay ? 'relay-fails' : answer === 0 || reports.some(isFailure) ? 'names-fail' : 'ok';
  return { answer, noAddress, fail, verdict };
}
