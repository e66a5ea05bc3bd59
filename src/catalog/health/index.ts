// A separate face, so that processes that only answer queries do not load TLS.
export { type AddressHealth, drains } from './address-health.ts';
export { conditionsOf } from './conditions.ts';
export { type MonitorSettings, type ProbedAddress, RelayMonitor } from './monitor.ts';
export { Prober, type ProbeTarget } from './probe.ts';
export { PROBE_OUTCOMES, type ProbeOutcome, type ProbeReport } from './probe-outcome.ts';
export {
  type CheckedEntry,
  type CheckSummary,
  checkEntries,
  type EntryReport,
  entriesOf,
  summarize,
} from './service-check.ts';
