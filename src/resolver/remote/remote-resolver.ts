import type { MessagePort } from 'node:worker_threads';
import type { Resolved, ResolveRequest, ResolveWaiter } from '../request.ts';
import { type AnswerMessage, type QuestionMessage, REFRESH_ID, SERVFAIL } from './messages.ts';

/**
 * The resolver of another thread. All threads ask the same one, so that each question is asked once. When the other
 * thread ends, open and later questions fail.
 */
export class RemoteResolver {
  private readonly port: MessagePort;
  private readonly waiting = new Map<number, ResolveWaiter>();
  private nextId = 0;
  private isClosed = false;

  /** @param port the other end of serveResolver's */
  constructor(port: MessagePort) {
    this.port = port;
    port.on('message', ({ id, resolved }: AnswerMessage) => {
      const waiter = this.waiting.get(id);
      this.waiting.delete(id);
      waiter?.resolved(resolved);
    });
    port.on('close', () => {
      this.isClosed = true;
      for (const waiter of this.waiting.values()) waiter.resolved(SERVFAIL);
      this.waiting.clear();
    });
  }

  ask(request: ResolveRequest, waiter: ResolveWaiter): void {
    if (this.isClosed) {
      waiter.resolved(SERVFAIL);
      return;
    }
    const id = this.nextId;
    this.nextId = (id + 1) & 0x3fffffff;
    this.waiting.set(id, waiter);
    this.post(id, request, waiter.source);
  }

  resolve(request: ResolveRequest): Promise<Resolved> {
    return new Promise((resolved, failed) => this.ask(request, { resolved, failed }));
  }

  refresh(request: ResolveRequest): void {
    this.post(REFRESH_ID, request, undefined);
  }

  private post(id: number, request: ResolveRequest, source: number | undefined): void {
    // A copy of its own: posting a view posts the whole buffer behind it.
    const name = request.name.slice(0, request.nameLength);
    const question: QuestionMessage = { id, request: { ...request, name }, source };
    this.port.postMessage(question);
  }
}
