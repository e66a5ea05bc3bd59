import type { Socket } from 'node:net';

/** Lengths before each frame: its JSON, and the bytes after that. */
const HEADER_BYTES = 8;
const MOST_BYTES = 2 ** 30;

/** A failure in the other process, by its code. */
export class LinkError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'LinkError';
    this.code = code;
  }
}

/** A request to the other process; the reply may carry bytes besides its value. */
export interface Ask {
  readonly ask: string;
  readonly [field: string]: unknown;
}
export interface Answer {
  readonly value?: unknown;
  readonly bytes?: Uint8Array;
}

/** Something that the other process tells unasked. */
export interface Notice {
  readonly notice: string;
  readonly [field: string]: unknown;
}

type Frame =
  | { readonly id: number; readonly request: Ask }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } }
  | Notice;

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

export interface LinkHandlers {
  answer(request: Ask): Answer | Promise<Answer>;
  notice(notice: Notice): void;
  /** Called once when the link has ended. */
  closed(): void;
}

const NO_HANDLERS: LinkHandlers = {
  answer: () => Promise.reject(new LinkError('not_ready', 'this process takes no requests yet')),
  notice: () => {},
  closed: () => {},
};

/**
 * Two processes that talk over a Unix socket: requests in both directions, and notices. What one side sends arrives in
 * order: a notice before a reply was sent before it.
 */
export class Link {
  private readonly socket: Socket;
  private readonly waiting = new Map<number, Waiting>();
  private handlers = NO_HANDLERS;
  private nextId = 1;
  private chunks: Buffer[] = [];
  private buffered = 0;
  private hasEnded = false;

  /** @param rest bytes that were read from the socket already */
  constructor(socket: Socket, rest: Buffer = Buffer.alloc(0)) {
    this.socket = socket;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.end());
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    if (rest.length > 0) this.read(rest);
    if (socket.destroyed) this.end();
    else socket.resume();
  }

  get isOpen(): boolean {
    return !this.hasEnded;
  }

  /** Sets who hears of what the other side sends. */
  handle(handlers: Partial<LinkHandlers>): void {
    this.handlers = { ...this.handlers, ...handlers };
  }

  /** @throws LinkError link_closed, or what the other side failed with */
  ask(request: Ask): Promise<Answer> {
    if (this.hasEnded) return Promise.reject(closedError());
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.send({ id, request });
    });
  }

  tell(notice: Notice): void {
    if (!this.hasEnded) this.send(notice);
  }

  /** Sends what is queued, then ends the link. */
  close(): void {
    this.socket.end();
    this.socket.destroySoon();
  }

  private send(frame: Frame, bytes: Uint8Array = new Uint8Array(0)): void {
    const json = Buffer.from(JSON.stringify(frame, encodeBytes));
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(json.length, 0);
    header.writeUInt32LE(bytes.length, 4);
    this.socket.write(Buffer.concat([header, json]));
    if (bytes.length > 0) this.socket.write(bytes);
  }

  private read(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    while (this.buffered >= HEADER_BYTES) {
      const header = this.peek(HEADER_BYTES);
      const [jsonBytes, bytes] = [header.readUInt32LE(0), header.readUInt32LE(4)];
      if (jsonBytes + bytes > MOST_BYTES) {
        this.socket.destroy();
        return;
      }
      const total = HEADER_BYTES + jsonBytes + bytes;
      if (this.buffered < total) return;
      const frame = this.take(total);
      const text = frame.toString('utf8', HEADER_BYTES, HEADER_BYTES + jsonBytes);
      this.handleFrame(JSON.parse(text, decodeBytes) as Frame, frame.subarray(HEADER_BYTES + jsonBytes));
    }
  }

  /** The first `count` buffered bytes; long frames are joined once, when they are whole. */
  private peek(count: number): Buffer {
    if (this.chunks[0]!.length < count) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0]!.subarray(0, count);
  }

  private take(count: number): Buffer {
    const all = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
    const rest = all.subarray(count);
    this.chunks = rest.length > 0 ? [rest] : [];
    this.buffered = rest.length;
    return all.subarray(0, count);
  }

  private handleFrame(frame: Frame, bytes: Buffer): void {
    if ('notice' in frame) this.handlers.notice(frame);
    else if ('request' in frame) void this.reply(frame.id, frame.request);
    else {
      const waiting = this.waiting.get(frame.id);
      this.waiting.delete(frame.id);
      if ('error' in frame) waiting?.reject(new LinkError(frame.error.code, frame.error.message));
      else waiting?.resolve({ value: frame.value, bytes });
    }
  }

  private async reply(id: number, request: Ask): Promise<void> {
    try {
      const { value = null, bytes } = await this.handlers.answer(request);
      if (!this.hasEnded) this.send({ id, value }, bytes);
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      if (typeof code !== 'string' || code.startsWith('ERR_')) throw error;
      if (!this.hasEnded) this.send({ id, error: { code, message } });
    }
  }

  private end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const { reject } of this.waiting.values()) reject(closedError());
    this.waiting.clear();
    this.handlers.closed();
  }
}

function closedError(): LinkError {
  return new LinkError('link_closed', 'the other process has ended the connection');
}

/** JSON has no bytes: `{ "$bytes": base64 }` stands for them. */
function encodeBytes(this: unknown, key: string, value: unknown): unknown {
  // A Buffer's own toJSON has run already.
  const original = (this as Record<string, unknown>)[key];
  return original instanceof Uint8Array ? { $bytes: Buffer.from(original).toString('base64') } : value;
}

function decodeBytes(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$bytes' in value)) return value;
  return new Uint8Array(Buffer.from(String(value.$bytes), 'base64'));
}
