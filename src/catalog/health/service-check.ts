import type { Service } from '../service.ts';
import type { ProbeOutcome, ProbeReport } from './probe-outcome.ts';

/** A name of a catalog file, and what to connect to for it. */
export interface CheckedEntry {
  readonly name: string;
  /** Whether it stands for all that is below it. */
  readonly isSuffix: boolean;
  /** Host names to try, until one answers. */
  readonly hosts: readonly string[];
}

export interface EntryReport extends CheckedEntry {
  readonly outcome: ProbeOutcome;
  readonly tried: readonly (ProbeReport & { readonly host: string })[];
}

/** What to connect to for each name of a service: the name itself and, where it stands for more, `www.` of it. */
export function entriesOf({ names, exact }: Pick<Service, 'names' | 'exact'>): CheckedEntry[] {
  return [
    ...names.map((name) => ({ name, isSuffix: true, hosts: [name, `www.${name}`] })),
    ...exact.map((name) => ({ name, isSuffix: false, hosts: [name] })),
  ];
}

/**
 * Connects to entries, a few at one time.
 * @param probe connects to a host name, by the relay that is for it
 * @returns a report of each, in their order
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
  // A host name without an address says less than one that has an address and does not answer.
  const outcome = outcomes.includes('ok')
    ? 'ok'
    : (outcomes.find((each) => each !== 'no-address') ?? 'no-address');
  return { ...entry, outcome, tried };
}

/** What the reports of a service come to. */
export interface CheckSummary {
  readonly answer: number;
  readonly noAddress: number;
  readonly fail: number;
  /**
   * - ok: whatever can be told answers;
   * - names-fail: an entry fails, an exact name has no address, or none answers at all;
   * - relay-fails: the relay took part in none of it, so that nothing is known of the names.
   */
  readonly verdict: 'ok' | 'names-fail' | 'relay-fails';
}

const RELAY_FAILS: readonly ProbeOutcome[] = ['unreachable', 'draining', 'closed', 'untried'];

/** @param isStrict whether a suffix without an address counts as failed: content networks have many */
export function summarise(reports: readonly EntryReport[], isStrict: boolean): CheckSummary {
  const answer = reports.filter(({ outcome }) => outcome === 'ok').length;
  const noAddress = reports.filter(({ outcome }) => outcome === 'no-address').length;
  const fail = reports.length - answer - noAddress;
  const isFault = ({ outcome, isSuffix }: EntryReport): boolean =>
    outcome === 'no-address' ? isStrict || !isSuffix : outcome !== 'ok';
  const isRelay = reports.every(({ outcome }) => RELAY_FAILS.includes(outcome));
  const verdict = isRelay ? 'relay-fails' : answer === 0 || reports.some(isFault) ? 'names-fail' : 'ok';
  return { answer, noAddress, fail, verdict };
}
