export {
  FollowerStoppedError,
  ListFileCorruptError,
  ListFileVersionUnknownError,
  PrefixNotListableError,
  ProfileLimitReachedError,
  SnapshotOutdatedError,
} from './errors.ts';
export {
  AllowlistFollower,
  type AllowlistFollowerOptions,
  type FollowerFallback,
  type FollowerState,
  type Reload,
  type ReloadReason,
} from './follower.ts';
export { type LastKnownList, ListFile } from './list-file.ts';
export { ListKeeper, type ListKeeperOptions } from './list-keeper.ts';
export { MAX_PROFILE_ID, NOT_REGISTERED, type ProfileId } from './profile-id.ts';
export { Profiles, type ProfilesOptions } from './profiles.ts';
export { AllowlistReader } from './reader.ts';
export type { AllowlistHandle, SlotsHandle } from './share.ts';
export {
  AllowlistTable,
  type AllowlistTableOptions,
  type LoadResult,
  type TableEdit,
  type TableObserver,
} from './table.ts';
