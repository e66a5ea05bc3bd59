import type { Socket } from 'node:net';
import { DescriptorSocket, SystemCallError } from '../../../sys/index.ts';
import type { ListeningSocket } from '../listening-sockets.ts';
import type { Log } from '../log.ts';
import type { LinkRequest } from '../operator/socket.ts';
import { type Answer, type Ask, Link } from './link.ts';
import { type DescribedSocket, PROTOCOL, type ReplaceReply } from './protocol.ts';
import { answerState, forwardChanges, positionOf, type SharedState } from './shared-state.ts';

/** Descriptors in one message; ten messages may wait. */
const SOCKETS_PER_MESSAGE = 200;
/** A new process that has the store gets ready within this time, or loses it. */
const PATIENCE_MS = 15_000;

/** A process that can be replaced. */
export interface Replaceable {
  readonly version: string;
  readonly log: Log;
  /** Why it cannot be replaced now; null: it can. */
  readonly obstacle: string | null;
  readonly sockets: readonly ListeningSocket[];
  readonly hasEmbeddedStore: boolean;
  readonly state: SharedState;
  readonly draining: ReplaceReply['draining'];
  /** Holds API calls and closes the store. */
  release(): Promise<void>;
  /** Opens the store again, and answers the calls that wait. */
  resume(): Promise<void>;
  /** Stops reading and accepting; what is under way is finished. */
  retire(): Promise<void>;
}

/** The running process's side of being replaced. Until the new process is ready, it serves as before. */
export class Replacement {
  private readonly owner: Replaceable;
  /** The process that is taking over. */
  private successor: number | null = null;
  private hasReleased = false;
  private isRetiring = false;
  private patience: NodeJS.Timeout | null = null;

  constructor(owner: Replaceable) {
    this.owner = owner;
  }

  /** Takes a request to be replaced. */
  begin(request: LinkRequest, socket: Socket, rest: Buffer): void {
    const refusal = this.refusalOf(request) ?? this.sendSockets(String(request['path']));
    if (typeof refusal === 'string') {
      socket.end(`${JSON.stringify({ refusal })}\n`);
      return;
    }
    const { owner } = this;
    const { version, hasEmbeddedStore, state, draining } = owner;
    const pid = Number(request['pid']);
    this.successor = pid;
    const reply: ReplaceReply = {
      accepted: true,
      version,
      pid: process.pid,
      messages: refusal,
      hasEmbeddedStore,
      position: positionOf(state),
      draining,
    };
    socket.write(`${JSON.stringify(reply)}\n`);
    owner.log.info({ pid, version: request['version'] }, 'another process takes over');
    const link = new Link(socket, rest);
    const endChanges = forwardChanges(link, state);
    link.handle({
      answer: (ask) => this.answer(ask, link),
      closed: () => {
        endChanges();
        void this.closed(pid);
      },
    });
  }

  private refusalOf({ protocol, version }: LinkRequest): string | null {
    const { successor, owner } = this;
    if (protocol !== PROTOCOL) {
      return (
        `the running process (${owner.version}) hands over by version ${PROTOCOL} of the protocol, ` +
        `and this one (${version}) by version ${protocol}: restart instead`
      );
    }
    if (successor !== null) return `another process (pid ${successor}) is taking over already`;
    return owner.obstacle;
  }

  /** @returns the number of messages, or why they cannot be sent */
  private sendSockets(path: string): number | string {
    const { sockets } = this.owner;
    try {
      const descriptors = DescriptorSocket.connect(path);
      try {
        let messages = 0;
        for (let i = 0; i < sockets.length; i += SOCKETS_PER_MESSAGE) {
          const share = sockets.slice(i, i + SOCKETS_PER_MESSAGE);
          const described = share.map(({ name, isHeld }): DescribedSocket => ({ name, isHeld }));
          descriptors.send(
            JSON.stringify(described),
            share.map(({ fd }) => fd),
          );
          messages++;
        }
        return messages;
      } finally {
        descriptors.close();
      }
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      return `the running process cannot hand its sockets over: ${error.message}`;
    }
  }

  private answer(request: Ask, link: Link): Answer | Promise<Answer> {
    const answer = answerState(request, this.owner.state);
    if (answer !== null) return answer;
    if (request.ask === 'release') return this.release(link);
    if (request.ask === 'retire') return this.retire();
    throw Object.assign(new Error(`unknown request ${request.ask}`), { code: 'unknown_request' });
  }

  private async release(link: Link): Promise<Answer> {
    this.hasReleased = true;
    this.patience = setTimeout(() => link.close(), PATIENCE_MS);
    await this.owner.release();
    return {};
  }

  private async retire(): Promise<Answer> {
    this.isRetiring = true;
    if (this.patience !== null) clearTimeout(this.patience);
    await this.owner.retire();
    return {};
  }

  private async closed(pid: number): Promise<void> {
    if (this.isRetiring) return;
    if (this.patience !== null) clearTimeout(this.patience);
    this.owner.log.error(
      { pid },
      'not replaced: the other process ended before it was ready; this one serves on',
    );
    if (this.hasReleased) await this.owner.resume();
    this.hasReleased = false;
    this.successor = null;
  }
}
