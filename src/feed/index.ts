export type { Change, Prefix, Profile, RemoveChange, SetChange } from './change.ts';
export { decodeSnapshot, encodeSnapshot } from './codec.ts';
export { SnapshotCorrupt, SnapshotVersionUnknown } from './errors.ts';
export {
  type Feed,
  type FeedListener,
  IPV4_LENGTHS,
  IPV6_LENGTHS,
  isListableLength,
  SNAPSHOT_VERSION,
  type Snapshot,
  type SnapshotGroup,
  snapshotKeyBytes,
} from './snapshot.ts';
