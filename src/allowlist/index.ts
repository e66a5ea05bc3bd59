export { AllowlistFile, type LastKnownAllowlist } from './allowlist-file.ts';
export { AllowlistKeeper, type AllowlistKeeperOptions } from './allowlist-keeper.ts';
export {
  AllowlistFileCorruptError,
  AllowlistFileVersionUnknownError,
  FollowerStoppedError,
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
export type { AllowlistHandle, SlotsHandle } from './handle.ts';
export { MAX_PROFILE_ID, NOT_REGISTERED, type ProfileId } from './profile-id.ts';
export { Profiles, type ProfilesOptions } from './profiles.ts';
export { AllowlistReader } from './reader.ts';
export {
  AllowlistTable,
  type AllowlistTableOptions,
  type LoadResult,
  type TableEdit,
  type TableObserver,
} from './table.ts';
