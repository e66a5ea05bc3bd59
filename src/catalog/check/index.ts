// A separate face: the verdicts and the judge of service checks.
export { type ReplyPattern, SERVICE_VERDICTS, type ServiceCheck, type ServiceVerdict } from './check.ts';
export { coversWith } from './covers.ts';
export { type CheckedReply, type Judgement, judgeReply } from './judge.ts';
export { MAX_CHECKED_BYTES, type RunCheckOptions, runCheck } from './run-check.ts';
