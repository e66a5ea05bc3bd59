import { randomInt } from 'node:crypto';
import type { AllowlistTable } from '../../../allowlist/index.ts';
import type { Config } from '../../../config/index.ts';
import { QueryVerdict, Shield, type ShieldEvents, type UdpEngine } from '../../../dns/index.ts';
import { type CounterBlock, queryCounter, Transport } from '../../../metrics/index.ts';
import { parsePrefix } from '../../../net/index.ts';
import { BpfError } from '../../../sys/bpf/index.ts';
import type { Log } from '../log.ts';

/** Verdicts of packets from unregistered sources. Registered ones also send malformed queries, but never a flood. */
const UNREGISTERED = [
  QueryVerdict.DROPPED,
  QueryVerdict.FORMERR,
  QueryVerdict.NOTIMP,
  QueryVerdict.BOOTSTRAP,
  QueryVerdict.REFUSED,
  QueryVerdict.RATELIMITED,
  QueryVerdict.IGNORED,
].map((verdict) => queryCounter(Transport.UDP, verdict));

/** dns.shield.mode is `on`, and this process cannot load the filter. */
export class ShieldError extends Error {
  readonly code = 'shield_not_available';
  constructor(reason: string) {
    super(`dns.shield.mode: found "on", expected "auto" or "off": ${reason}`);
    this.name = 'ShieldError';
  }
}

export interface ShieldRoleOptions {
  readonly config: Config['dns'];
  readonly engine: UdpEngine;
  readonly table: AllowlistTable;
  /** Counters of the UDP threads. */
  readonly blocks: readonly CounterBlock[];
  readonly now: () => number;
  readonly log: Log;
}

/** State of the shield for metrics and /readyz. */
export interface ShieldView {
  /** off: by the configuration; unavailable: the process lacks the right, or the kernel the feature. */
  readonly state: 'off' | 'unavailable' | 'ready' | 'engaging' | 'engaged';
  readonly reason: string | null;
  readonly engagements: number;
  readonly dropped: number;
  readonly sampled: number;
  readonly entries: number;
}

const NO_SHIELD = { engagements: 0, dropped: 0, sampled: 0, entries: 0 };

/** Opens the shield as configured, or keeps the reason why there is none. */
export class ShieldRole {
  private readonly shield: Shield | null;
  /** Null, or why there is no shield or the last attempt to engage it failed. */
  private reason: string | null = null;
  private readonly mode: Config['dns']['shield']['mode'];

  /** @throws ShieldError with mode `on`, if the filter is not available */
  constructor(options: ShieldRoleOptions) {
    this.mode = options.config.shield.mode;
    this.shield = this.mode === 'off' ? null : this.open(options);
  }

  get view(): ShieldView {
    const { shield, reason } = this;
    if (shield !== null) return { ...shield.status, reason };
    return { ...NO_SHIELD, reason, state: this.mode === 'off' ? 'off' : 'unavailable' };
  }

  renew(): void {
    this.shield?.renew();
  }

  /** Call it before the sockets are closed. */
  close(): void {
    this.shield?.close();
  }

  private open(options: ShieldRoleOptions): Shield | null {
    const { config, engine, table, blocks, now, log } = options;
    try {
      if (engine.name !== 'mmsg') {
        throw new BpfError('the shield', 'ENGINE', `it needs dns.engine mmsg, found ${engine.name}`);
      }
      return new Shield({
        ...config.shield,
        always: this.mode === 'on',
        table,
        sockets: engine.sockets,
        exempt: config.proxyProtocolFrom.map((text) => parsePrefix(text)!),
        unregistered: () => unregisteredPackets(blocks),
        now,
        random: () => randomInt(2 ** 32),
        events: this.events(log),
      });
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      if (this.mode === 'on') throw new ShieldError(`${error.code}: ${error.reason}`);
      this.reason = error.reason;
      log.info({ code: error.code, reason: error.reason }, 'shield not available');
      return null;
    }
  }

  private events(log: Log): ShieldEvents {
    return {
      engaged: (facts) => {
        this.reason = null;
        log.warn(facts, 'shield engaged');
      },
      disengaged: (facts) => log.warn(facts, 'shield disengaged'),
      failed: (facts) => {
        this.reason = facts.reason;
        log.error(facts, 'shield not engaged');
      },
    };
  }
}

function unregisteredPackets(blocks: readonly CounterBlock[]): number {
  let count = 0;
  for (const { values } of blocks) for (const index of UNREGISTERED) count += values[index];
  return count;
}
