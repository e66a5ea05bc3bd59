import type { Io } from './command.ts';
import { askOperatorSocket, type OperatorRequest } from './serve/operator/socket.ts';

/**
 * Sends a request to the process that runs with this dataDir.
 * @param role the kind of process that takes it, for the message
 * @returns its reply; null after printing why there is none
 */
export async function askRunning<Reply extends object>(
  dataDir: string,
  request: OperatorRequest,
  role: string,
  io: Io,
): Promise<Exclude<Reply, { readonly error: string }> | null> {
  const reply = await askOperatorSocket<Reply | { readonly error: string }>(dataDir, request);
  if (reply === null) {
    io.err(`no ${role} with dataDir ${dataDir} is running, or this user may not talk to it`);
    return null;
  }
  if ('error' in reply) {
    io.err(reply.error);
    return null;
  }
  return reply as Exclude<Reply, { readonly error: string }>;
}
