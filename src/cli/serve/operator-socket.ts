import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** What `explain` asks a running edge. */
export interface ExplainRequest {
  readonly command: 'explain';
  readonly name: string;
  readonly type: number;
  readonly from: string;
}

/** What `relay` asks a running process. */
export interface RelayRequest {
  readonly command: 'relay-status' | 'relay-drain' | 'relay-undrain';
  /** null: not by its region, not by its address. */
  readonly region: string | null;
  readonly address: string | null;
}

/** One line of JSON, answered by one. */
export type OperatorRequest = ExplainRequest | RelayRequest;

const MAX_REQUEST_CHARACTERS = 4096;

function pathIn(dataDir: string): string {
  return join(dataDir, 'operator.sock');
}

/**
 * Answers the operator's commands at a Unix socket in dataDir that this user alone may open (0600).
 * @param answer gives what is sent; throws for a request that is not sound
 * @returns null where the system does not let it listen there: the process goes on without
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
 * Asks the process that runs with this dataDir.
 * @returns null where none runs there, or not one that this user may ask
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
  let found: unknown;
  try {
    found = await answer(JSON.parse(text) as OperatorRequest);
  } catch {
    found = { fault: 'a request that is not understood' };
  }
  socket.end(`${JSON.stringify(found)}\n`);
}
