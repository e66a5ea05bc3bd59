import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface Latencies {
  readonly sent: number;
  readonly lost: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const LATE_MS = 1_000;

/** Asks a server of 127.0.0.1 at a steady rate, whatever it answers, and measures each answer's time. */
export async function probe(port: number, name: string, rate: number, seconds: number): Promise<Latencies> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const sentAt = new Map<number, number>();
  const times: number[] = [];
  socket.on('message', (reply) => {
    const at = sentAt.get(reply.readUInt16BE(0));
    if (at === undefined) return;
    times.push(performance.now() - at);
    sentAt.delete(reply.readUInt16BE(0));
  });
  const total = Math.round(rate * seconds);
  const startedAt = performance.now();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.ceil(((performance.now() - startedAt) / 1000) * rate));
    for (; sent < due; sent++) send(socket, port, name, sent & 0xffff, sentAt);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await new Promise((resolve) => setTimeout(resolve, LATE_MS));
  socket.close();
  times.sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(part * times.length))]!;
  return { sent: total, lost: total - times.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function send(socket: Socket, port: number, name: string, id: number, sentAt: Map<number, number>): void {
  const query = queryFor(name, id);
  sentAt.set(id, performance.now());
  socket.send(query, port, '127.0.0.1');
}

/** An A query without EDNS. */
export function queryFor(name: string, id: number): Buffer {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  const query = Buffer.alloc(12 + labels.length + 5);
  query.writeUInt16BE(id, 0);
  query.writeUInt16BE(0x0100, 2);
  query.writeUInt16BE(1, 4);
  query.set(labels, 12);
  query.writeUInt16BE(1, query.length - 4);
  query.writeUInt16BE(1, query.length - 2);
  return query;
}
