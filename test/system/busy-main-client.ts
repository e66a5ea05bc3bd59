/** A client and its upstream in a thread of their own, so that they go on while the main thread is busy. */
import dgram from 'node:dgram';
import net from 'node:net';
import { parentPort } from 'node:worker_threads';
import * as dnsPacket from 'dns-packet';

export interface ClientStart {
  readonly from: string;
  readonly address: string;
  readonly port: number;
  readonly forMs: number;
}

export interface ClientReport {
  readonly sent: number;
  readonly answered: number;
  readonly slowestMs: number;
}

const INTERVAL_MS = 25;
let names = 0;

const upstream = net.createServer((socket) => {
  socket.on('error', () => {});
  let unread = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
      const end = 2 + unread.readUInt16BE(0);
      const query = dnsPacket.decode(unread.subarray(2, end));
      const { name } = query.questions![0];
      const flags = dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE;
      const answers: dnsPacket.Answer[] = [{ type: 'A', name, ttl: 300, data: '192.0.2.1' }];
      socket.write(
        dnsPacket.streamEncode({
          type: 'response',
          id: query.id!,
          flags,
          questions: query.questions!,
          answers,
        }),
      );
      unread = unread.subarray(end);
    }
  });
});
upstream.listen(0, '127.0.0.1', () => parentPort!.postMessage((upstream.address() as net.AddressInfo).port));

parentPort!.on('message', async ({ from, address, port, forMs }: ClientStart) => {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, from);
  const sentMs = new Map<number, number>();
  let sent = 0;
  let answered = 0;
  let slowestMs = 0;
  socket.on('message', (message) => {
    const at = sentMs.get(message.readUInt16BE(0));
    if (at === undefined || (message[3] & 15) !== 0) return;
    answered++;
    slowestMs = Math.max(slowestMs, performance.now() - at);
  });
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    const id = sent++;
    sentMs.set(id, performance.now());
    const questions: dnsPacket.Question[] = [{ type: 'A', name: `n${names++}.example` }];
    socket.send(
      dnsPacket.encode({ type: 'query', id, flags: dnsPacket.RECURSION_DESIRED, questions }),
      port,
      address,
    );
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  for (let wait = 0; wait < 40 && answered < sent; wait++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  socket.close();
  const report: ClientReport = { sent, answered, slowestMs };
  parentPort!.postMessage(report);
});
