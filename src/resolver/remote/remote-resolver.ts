import type { MessagePort } from 'node:worker_threads';
import type { ResolveRequest, ResolveWaiter } from '../request.ts';
import { type AnswerMessage, type QuestionMessage, REFRESH_ID } from './messages.ts';

/** The resolver as other threads have it: questions go to its thread by a port, and so each is still asked once. */
export class RemoteResolver {
  private readonly port: MessagePort;
  private readonly waiting = new Map<number, ResolveWaiter>();
  private nextId = 0;

  /** @param port the other end of the one that serveResolver has */
  constructor(port: MessagePort) {
    this.port = port;
    port.on('message', ({ id, resolved }: AnswerMessage) => {
      const waiter = this.waiting.get(id);
      this.waiting.delete(id);
      waiter?.resolved(resolved);
    });
  }

  ask(request: ResolveRequest, waiter: ResolveWaiter): void {
    const id = this.nextId;
    this.nextId = (id + 1) & 0x3fffffff;
    this.waiting.set(id, waiter);
    this.post(id, request);
  }

  refresh(request: ResolveRequest): void {
    this.post(REFRESH_ID, request);
  }

  private post(id: number, request: ResolveRequest): void {
    // In memory of its own: with a view the whole of its memory is posted.
    const name = request.name.slice(0, request.nameLength);
    const question: QuestionMessage = { id, request: { ...request, name } };
    this.port.postMessage(question);
  }
}
