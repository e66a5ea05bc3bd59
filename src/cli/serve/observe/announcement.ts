import type { Config } from '../../../config/index.ts';
import type { AdminKey } from '../admin-key.ts';
import type { Log } from '../log.ts';
import type { Role } from '../roles/role.ts';
import { type Greeting, nextSteps, readableGreeting } from './greeting.ts';

export interface AnnouncementOptions {
  readonly config: Config;
  readonly log: Log;
  readonly roles: readonly Role[];
  /** URLs of the metrics listeners. */
  readonly metrics: readonly string[];
  /** Null on a process without the control role. */
  readonly adminKey: AdminKey | null;
  /** True if a person reads the output. */
  readonly terminal: boolean;
  write(text: string): void;
}

/** Listeners of roles that this process does not have. */
const NO_LISTENERS = { udp: [], tcp: [], tls: [], https: [], control: [], engine: null };

/** Logs that every listener is open, after the greeting on the first start. */
export function announce({
  config,
  log,
  roles,
  metrics,
  adminKey,
  terminal,
  write,
}: AnnouncementOptions): void {
  const ready = Object.assign({}, NO_LISTENERS, ...roles.map((role) => role.ready));
  if (adminKey?.isNew) {
    const { control: api, udp: dns } = ready as { control: string[]; udp: string[] };
    const { file } = adminKey;
    const greeting: Greeting = {
      api,
      dns,
      adminKeyFile: file,
      next: nextSteps(api[0] ?? '', file, dns[0] ?? null),
    };
    if (terminal) write(readableGreeting(greeting));
    else log.info(greeting, 'first start');
  }
  log.info({ roles: config.roles, ...ready, metrics }, 'ready');
}
