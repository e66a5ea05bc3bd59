export { formatReport, type HostReport, MAX_REPORT_BYTES, parseReport } from './host-report.ts';
export { ReportChannel } from './report-channel.ts';
