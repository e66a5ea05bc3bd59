import type { MessagePort } from 'node:worker_threads';
import type { Resolved, ResolveRequest } from '../request.ts';
import type { AnswerMessage } from './messages.ts';

/** The resolver as other threads have it: questions go to its thread by a port, and so each is still asked once. */
export class RemoteResolver {
  private readonly port: MessagePort;
  private readonly waiting = new Map<number, (resolved: Resolved) => void>();
  private nextId = 0;

  /** @param port the other end of the one that serveResolver has */
  constructor(port: MessagePort) {
    this.port = port;
    port.on('message', ({ id, resolved }: AnswerMessage) => {
      const settle = this.waiting.get(id);
      this.waiting.delete(id);
      settle?.(resolved);
    });
  }

  resolve(request: ResolveRequest): Promise<Resolved> {
    return new Promise((resolve) => {
      const id = this.nextId;
      this.nextId = (id + 1) & 0x3fffffff;
      this.waiting.set(id, resolve);
      const name = request.name.slice(0, request.nameLength);
      this.port.postMessage({ id, request: { ...request, name } });
    });
  }
}
