import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSnapshot, type Snapshot } from '../../../feed/index.ts';
import type { Address } from '../../../net/index.ts';
import { closeSocket, DescriptorSocket, describeSocket, libc, SystemCallError } from '../../../sys/index.ts';
import { isServer, SERVERS } from '../inherited.ts';
import type { ListeningSocket } from '../listening-sockets.ts';
import { openOperatorLink } from '../operator/socket.ts';
import { Link } from './link.ts';
import { type DescribedSocket, PROTOCOL, ReplaceError, type ReplaceReply } from './protocol.ts';
import { StatePeer } from './state-peer.ts';

/** The new process's side of a replacement. */
export class Takeover {
  /** Listening sockets of the running process. */
  readonly sockets: readonly ListeningSocket[];
  readonly reply: ReplaceReply;
  /** The running process's store and allowlist. */
  readonly peer: StatePeer;
  private readonly link: Link;

  private constructor(link: Link, reply: ReplaceReply, sockets: readonly ListeningSocket[]) {
    this.link = link;
    this.reply = reply;
    this.sockets = sockets;
    this.peer = new StatePeer(reply.position ?? { epoch: '', seq: 0 });
    this.peer.attach(link, null);
    link.handle({ notice: (notice) => this.peer.hear(notice) });
  }

  /**
   * Asks the process that runs with this dataDir for its sockets.
   * @returns null if none runs
   * @throws ReplaceError if it cannot be replaced; it serves on
   */
  static async begin(dataDir: string, version: string): Promise<Takeover | null> {
    if (libc() === null) throw new ReplaceError('--replace needs Linux on x64 or arm64: restart instead');
    // Short: the path of a Unix socket has at most 107 bytes.
    const path = join(dataDir, `.${process.pid}.fds`);
    let socket: DescriptorSocket | null = null;
    try {
      socket = DescriptorSocket.bind(path);
      return await Takeover.ask(dataDir, version, path, socket);
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      // No dataDir yet: nobody runs there.
      if (socket === null && code === 'ENOENT') return null;
      if (error instanceof ReplaceError) throw error;
      if (error instanceof SystemCallError || !code.startsWith('ERR_'))
        throw new ReplaceError(`${path}: ${message}`);
      throw error;
    } finally {
      socket?.close();
      if (socket !== null) rmSync(path, { force: true });
    }
  }

  private static async ask(
    dataDir: string,
    version: string,
    path: string,
    descriptors: DescriptorSocket,
  ): Promise<Takeover | null> {
    const request = { command: 'replace', protocol: PROTOCOL, version, pid: process.pid, path } as const;
    const opened = await openOperatorLink(dataDir, request);
    if (opened === null) return null;
    const { reply, socket, rest } = opened;
    if (reply['accepted'] !== true) {
      socket.destroy();
      throw new ReplaceError(refusalOf(reply));
    }
    const accepted = reply as unknown as ReplaceReply;
    return new Takeover(new Link(socket, rest), accepted, receive(descriptors, accepted.messages));
  }

  /** The running process's allowlist. */
  async snapshot(): Promise<Snapshot> {
    return decodeSnapshot((await this.link.ask({ ask: 'snapshot' })).bytes!);
  }

  /** Resolves when the running process has closed its store; it holds API calls from then on. @throws LinkError */
  async release(): Promise<void> {
    await this.link.ask({ ask: 'release' });
  }

  /** Resolves when the running process neither reads nor accepts any more. @throws LinkError */
  async retire(): Promise<void> {
    await this.link.ask({ ask: 'retire' });
  }

  close(): void {
    this.peer.detach(this.link);
    this.link.close();
  }
}

function refusalOf(reply: Readonly<Record<string, unknown>>): string {
  if (typeof reply['refusal'] === 'string') return reply['refusal'];
  return 'the running process is of a release that cannot be replaced while it runs: restart it';
}

/** Receives the sockets that have been sent, and closes those of servers that this release does not know. */
function receive(descriptors: DescriptorSocket, messages: number): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (let i = 0; i < messages; i++) {
    const message = descriptors.receive();
    if (message === null) throw new ReplaceError('not all sockets of the running process arrived');
    const described = JSON.parse(message.text) as DescribedSocket[];
    for (const [index, fd] of message.fds.entries()) {
      const { name, isHeld } = described[index]!;
      const socket = describeSocket(fd);
      if (!isServer(name) || socket?.type !== SERVERS[name].type) closeSocket(fd);
      else {
        const address = { family: socket.family, bytes: socket.bytes } as Address;
        sockets.push({ name, isHeld, fd, address, port: socket.port });
      }
    }
  }
  return sockets;
}
