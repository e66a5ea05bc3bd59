import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** What `explain` asks a running edge: one line of JSON, answered by one. */
export interface ExplainRequest {
  readonly name: string;
  readonly type: number;
  readonly from: string;
}

const MAX_REQUEST_CHARACTERS = 4096;

export function explainSocketPath(dataDir: string): string {
  return join(dataDir, 'explain.sock');
}

/**
 * Answers `explain` at a Unix socket in dataDir that this user alone may open (0600).
 * @param answer gives what is sent; throws for a request that is not sound
 * @returns null where the system does not let it listen there: the edge goes on without
 */
export async function openExplainSocket(
  dataDir: string,
  answer: (request: ExplainRequest) => unknown,
): Promise<Server | null> {
  const path = explainSocketPath(dataDir);
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

function serve(socket: Socket, answer: (request: ExplainRequest) => unknown): void {
  let text = '';
  socket.setEncoding('utf8').unref();
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk;
    if (text.length > MAX_REQUEST_CHARACTERS) socket.destroy();
    else if (text.endsWith('\n')) socket.end(`${JSON.stringify(replyTo(text, answer))}\n`);
  });
}

function replyTo(text: string, answer: (request: ExplainRequest) => unknown): unknown {
  try {
    return answer(JSON.parse(text) as ExplainRequest);
  } catch {
    return { fault: 'a request that is not understood' };
  }
}
