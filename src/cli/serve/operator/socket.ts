import { once } from 'node:events';
import { chmodSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** Request of `mediastreamer explain`. */
export interface ExplainRequest {
  readonly command: 'explain';
  readonly name: string;
  readonly type: number;
  readonly from: string;
}

/** Request of `mediastreamer relay`. */
export interface RelayRequest {
  readonly command: 'relay-status' | 'relay-drain' | 'relay-undrain';
  /** Null: not selected by region. */
  readonly region: string | null;
  /** Null: not selected by address. */
  readonly address: string | null;
}

/** Request of `mediastreamer account`. */
export interface AccountRequest {
  readonly command: 'account-add' | 'account-list' | 'account-show' | 'account-link' | 'account-remove';
  /** The account; for a list the last id of the page before, null for the first page. */
  readonly id: string | null;
  /** Region of a new account; null: the default of the configuration. */
  readonly region: string | null;
  readonly perAccount: number | null;
}

/** Request of `mediastreamer catalog`: serve what is in dataDir now. */
export interface ReloadCatalogRequest {
  readonly command: 'reload-catalog';
}

/** Request of `mediastreamer edge`. */
export interface EdgeRequest {
  readonly command: 'edge-drain' | 'edge-undrain';
}

/** Asks for the state of the host's certificate by ACME. */
export interface CertificateRequest {
  readonly command: 'certificate';
}

/** A request is one line of JSON, and so is its reply. */
export type OperatorRequest =
  | ExplainRequest
  | RelayRequest
  | AccountRequest
  | ReloadCatalogRequest
  | EdgeRequest
  | CertificateRequest;

/** Asks for a link between two processes of one dataDir (serve/replace). Its connection stays open. */
export interface LinkRequest {
  readonly command: 'replace' | 'follow';
  /** Version of what the two say to each other. */
  readonly protocol: number;
  readonly [field: string]: unknown;
}

export interface OperatorHandlers {
  /** Returns the reply; throws on a malformed request. */
  answer(request: OperatorRequest): unknown;
  /** Takes a connection over. @param rest bytes after the request */
  link(request: LinkRequest, socket: Socket, rest: Buffer): void;
}

const MAX_REQUEST_BYTES = 4096;

function pathIn(dataDir: string): string {
  return join(dataDir, 'operator.sock');
}

/** The Unix socket in dataDir that serves the operator's commands, mode 0600. */
export class OperatorSocket {
  private readonly server: Server;
  private readonly path: string;
  private readonly inode: number;

  private constructor(server: Server, path: string) {
    this.server = server;
    this.path = path;
    this.inode = statSync(path).ino;
  }

  /** Takes the place of another process's socket. @returns null if the system refuses to listen there: the process runs without it */
  static async open(dataDir: string, handlers: OperatorHandlers): Promise<OperatorSocket | null> {
    const path = pathIn(dataDir);
    // Closing a server removes the path that it was bound to, which must not be another process's by then.
    const bound = join(dataDir, `.${process.pid}.sock`);
    const server = createServer((socket) => void serve(socket, handlers));
    const before = process.umask(0o177);
    try {
      rmSync(bound, { force: true });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(bound, resolve);
      });
      chmodSync(bound, 0o600);
      renameSync(bound, path);
    } catch {
      server.close();
      return null;
    } finally {
      process.umask(before);
    }
    server.on('error', () => {});
    server.unref();
    return new OperatorSocket(server, path);
  }

  /** @param keepsPath leaves the path to the process that takes it over */
  close({ keepsPath = false } = {}): void {
    this.server.close();
    if (keepsPath) return;
    try {
      if (statSync(this.path).ino === this.inode) rmSync(this.path);
    } catch {
      // It is gone already.
    }
  }
}

/**
 * Sends a request to the process that runs with this dataDir.
 * @returns null if none runs, or if this user may not open its socket
 */
export async function askOperatorSocket<Reply>(
  dataDir: string,
  request: OperatorRequest,
): Promise<Reply | null> {
  const socket = connect(pathIn(dataDir));
  try {
    await once(socket, 'connect');
    socket.write(`${JSON.stringify(request)}\n`);
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += chunk;
    return JSON.parse(text) as Reply;
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

/**
 * Opens a link to the process that runs with this dataDir.
 * @returns its reply and the connection; null if none runs
 * @throws EACCES and other errors of connect(2)
 */
export async function openOperatorLink(
  dataDir: string,
  request: LinkRequest,
): Promise<{ reply: Readonly<Record<string, unknown>>; socket: Socket; rest: Buffer } | null> {
  const socket = connect(pathIn(dataDir));
  try {
    await once(socket, 'connect');
    socket.write(`${JSON.stringify(request)}\n`);
    const read = await readLine(socket, Number.POSITIVE_INFINITY);
    if (read === null) {
      socket.destroy();
      return null;
    }
    return { reply: JSON.parse(read.line), socket, rest: read.rest };
  } catch (error) {
    socket.destroy();
    if (NOBODY.includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

const NOBODY = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'];

async function serve(socket: Socket, handlers: OperatorHandlers): Promise<void> {
  socket.unref();
  socket.on('error', () => socket.destroy());
  const read = await readLine(socket, MAX_REQUEST_BYTES).catch(() => null);
  if (read === null) {
    socket.destroy();
    return;
  }
  let sent: unknown;
  try {
    const request = JSON.parse(read.line) as OperatorRequest | LinkRequest;
    if (request.command === 'replace' || request.command === 'follow') {
      handlers.link(request as LinkRequest, socket, read.rest);
      return;
    }
    sent = await handlers.answer(request as OperatorRequest);
  } catch {
    sent = { error: 'malformed request' };
  }
  socket.end(`${JSON.stringify(sent)}\n`);
}

/** Reads the first line and pauses the socket. @returns null if it ends or grows too long before */
function readLine(socket: Socket, mostBytes: number): Promise<{ line: string; rest: Buffer } | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const stop = (): void => {
      socket.off('data', take).off('end', end).off('error', fail).pause();
    };
    const end = (): void => {
      stop();
      resolve(null);
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      const isWhole = chunk.includes(0x0a);
      if (!isWhole && length <= mostBytes) return;
      stop();
      const all = Buffer.concat(chunks);
      const at = all.indexOf(0x0a);
      if (at < 0 || at > mostBytes) resolve(null);
      else resolve({ line: all.toString('utf8', 0, at), rest: all.subarray(at + 1) });
    };
    socket.on('data', take).on('end', end).on('error', fail);
  });
}
