import { Transport } from '../../metrics/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';

export const TCP_TRAITS: TransportTraits = {
  transport: Transport.TCP,
  spoofable: false,
  encrypted: false,
  maxReplyBytes: 65535,
};
