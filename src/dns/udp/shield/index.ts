export type { ShieldSocket } from './engagement.ts';
export {
  type DisengageCause,
  Shield,
  type ShieldEvents,
  type ShieldOptions,
  type ShieldStatus,
} from './shield.ts';
