import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
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

const MAX_REQUEST_CHARACTERS = 4096;

function pathIn(dataDir: string): string {
  return join(dataDir, 'operator.sock');
}

/**
 * Serves the operator's commands on a Unix socket in dataDir, mode 0600.
 * @param answer returns the reply; throws on a malformed request
 * @returns null if the system refuses to listen there: the process runs without it
 */
export async function openOperatorSocket(
  dataDir: string,
  answer: (request: OperatorRequest) => unknown,
): Promise<Server | null> {
  const path = pathIn(dataDir);
  const server = createServer((socket) => serve(socket, answer));
  const before = process.umask(0o177);
  try {
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
  } catch {
    return null;
  } finally {
    process.umask(before);
  }
  server.on('error', () => {});
  server.unref();
  return server;
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

function serve(socket: Socket, answer: (request: OperatorRequest) => unknown): void {
  let text = '';
  socket.setEncoding('utf8').unref();
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk;
    if (text.length > MAX_REQUEST_CHARACTERS) socket.destroy();
    else if (text.endsWith('\n')) void reply(socket, text, answer);
  });
}

async function reply(
  socket: Socket,
  text: string,
  answer: (request: OperatorRequest) => unknown,
): Promise<void> {
  let sent: unknown;
  try {
    sent = await answer(JSON.parse(text) as OperatorRequest);
  } catch {
    sent = { error: 'malformed request' };
  }
  socket.end(`${JSON.stringify(sent)}\n`);
}
