export type { Change, Prefix, Profile, RemoveChange, SetChange } from './change.ts';
export { decodeSnapshot, encodeSnapshot, readSnapshotPosition } from './codec.ts';
export { digestSnapshot, digestText, hashProfile, ListDigest, type ProfileHash } from './digest.ts';
export { SnapshotCorruptError, SnapshotVersionUnknownError } from './errors.ts';
export { mergeSnapshot } from './merge.ts';
export { profileOfText, profileText } from './profile-text.ts';
export {
  type DigestAt,
  type Feed,
  type FeedListener,
  type FeedSignals,
  type FeedSnapshot,
  IPV4_LENGTHS,
  IPV6_LENGTHS,
  isListableLength,
  type LostReason,
  SNAPSHOT_VERSION,
  type Snapshot,
  type SnapshotGroup,
  snapshotKeyBytes,
} from './snapshot.ts';
