export { type Claim, ClaimOutcome, type PrivateNames } from './claim.ts';
export { type AskControl, ClaimDesk } from './claim-desk.ts';
export { tokenOfBytes, tokenOfHost } from './token.ts';
