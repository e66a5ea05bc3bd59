import { Transport } from '../../metrics/index.ts';
import { MAX_UDP_REPLY_BYTES, type TransportTraits } from '../answer/query-state.ts';

export const UDP_TRAITS: TransportTraits = {
  transport: Transport.UDP,
  spoofable: true,
  encrypted: false,
  maxReplyBytes: MAX_UDP_REPLY_BYTES,
};

/** Bytes of a slot. Longer queries are cut, and answered FORMERR; every UDP reply fits. */
export const SLOT_BYTES = 2048;
