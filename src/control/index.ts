export { type HostnameAnswer, HostnameFollower, type HostnameFollowerOptions } from './hostname-follower.ts';
export type {
  AuthenticationLimits,
  ControlCounters,
  ControlLogger,
  ControlOptions,
  ControlRegistry,
  ControlService,
  SelfTest,
} from './options.ts';
export type { OwnHost } from './own-host.ts';
export { type ControlServer, createControl, type ListenAddress } from './server.ts';
export { signInUrl } from './sign-in-url.ts';
