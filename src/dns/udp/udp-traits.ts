import { Transport } from '../../metrics/index.ts';
import { MAX_UDP_REPLY_BYTES, type TransportTraits } from '../answer/query-state.ts';

export const UDP_TRAITS: TransportTraits = {
  transport: Transport.UDP,
  spoofable: true,
  encrypted: false,
  maxReplyBytes: MAX_UDP_REPLY_BYTES,
};

/** A slot: longer queries are cut, and then answered FORMERR; every UDP reply fits. */
export const SLOT_BYTES = 2048;
