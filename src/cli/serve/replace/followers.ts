import type { Socket } from 'node:net';
import type { Log } from '../log.ts';
import type { LinkRequest } from '../operator/socket.ts';
import { type Ask, Link, LinkError } from './link.ts';
import { MOST_OLD_PROCESSES, PROTOCOL } from './protocol.ts';
import { answerState, forwardChanges, positionOf, type SharedState } from './shared-state.ts';

interface Follower {
  readonly link: Link;
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly retiredAtMs: number;
}

/** Old processes that finish what they have, and follow this one's allowlist and store meanwhile. */
export class Followers {
  private readonly state: () => SharedState;
  private readonly log: Log;
  private readonly followers = new Set<Follower>();

  constructor(state: () => SharedState, log: Log) {
    this.state = state;
    this.log = log;
  }

  /** Takes an old process on; the oldest ends for it where there are too many. */
  add(request: LinkRequest, socket: Socket, rest: Buffer): void {
    if (request.protocol !== PROTOCOL) {
      socket.end(`${JSON.stringify({ refusal: `expected version ${PROTOCOL} of the protocol` })}\n`);
      return;
    }
    const state = this.state();
    socket.write(`${JSON.stringify({ accepted: true, position: positionOf(state) })}\n`);
    const link = new Link(socket, rest);
    const endChanges = forwardChanges(link, state);
    const follower = { link, pid: Number(request['pid']), retiredAtMs: Number(request['retiredAtMs']) };
    link.handle({
      answer: (ask) => answerState(ask, state) ?? unknown(ask),
      closed: () => {
        endChanges();
        this.followers.delete(follower);
      },
    });
    this.followers.add(follower);
    this.endOldest();
  }

  /** Tells all of them to end: this process stops, and another one may not come. */
  end(): void {
    for (const { link } of this.followers) link.tell({ notice: 'end', reason: 'stopped' });
    this.close();
  }

  /** Lets go of them; they find the process that serves by themselves. */
  close(): void {
    for (const { link } of this.followers) link.close();
    this.followers.clear();
  }

  private endOldest(): void {
    if (this.followers.size <= MOST_OLD_PROCESSES) return;
    const oldest = [...this.followers].reduce((one, other) =>
      other.retiredAtMs < one.retiredAtMs ? other : one,
    );
    this.followers.delete(oldest);
    this.log.warn({ pid: oldest.pid }, 'an old process ends with its connections: two others are younger');
    oldest.link.tell({ notice: 'end', reason: 'crowded' });
  }
}

function unknown({ ask }: Ask): never {
  throw new LinkError('unknown_request', `unknown request ${ask}`);
}
