/** Answers every query with its own question, as the options say. */
import { createSocket } from 'node:dgram';
import { createSecureServer } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';

const { transport, dropEvery, refused, certificate, address } = workerData;
const port = parentPort!;
const sources = new Set<string>();
let queries = 0;

function answer(query: Buffer, source: string): Buffer | null {
  sources.add(source);
  queries++;
  if (dropEvery > 0 && queries % dropEvery === 0) return null;
  const reply = Buffer.from(query);
  reply[2]! |= 0x80;
  reply[3] = refused !== null && source.startsWith(refused) ? 5 : 0;
  return reply;
}

function serveStream(socket: Socket): void {
  let held = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const length = held.readUInt16BE(0);
      const reply = answer(held.subarray(2, 2 + length), socket.remoteAddress!);
      held = held.subarray(2 + length);
      if (reply === null) continue;
      const framed = Buffer.alloc(2 + reply.length);
      framed.writeUInt16BE(reply.length, 0);
      reply.copy(framed, 2);
      socket.write(framed);
    }
  });
}

if (transport === 'udp') {
  const socket = createSocket(address === '::1' ? 'udp6' : 'udp4');
  socket.on('message', (query, peer) => {
    const reply = answer(query, peer.address);
    if (reply !== null) socket.send(reply, peer.port, peer.address);
  });
  socket.bind(0, address, () => port.postMessage(socket.address().port));
} else {
  const server =
    transport === 'tcp'
      ? createServer(serveStream)
      : transport === 'tls'
        ? createTlsServer({ ...certificate, ALPNProtocols: ['dot'] }, serveStream)
        : createSecureServer(certificate, (request, response) => {
            const chunks: Buffer[] = [];
            request.on('data', (chunk) => chunks.push(chunk as Buffer));
            request.on('end', () => {
              const reply = answer(Buffer.concat(chunks), request.socket.remoteAddress!);
              if (reply === null) response.stream.respond({ ':status': 503 }, { endStream: true });
              else response.writeHead(200, { 'content-type': 'application/dns-message' }).end(reply);
            });
          });
  server.listen(0, address, () => port.postMessage((server.address() as { port: number }).port));
}
port.on('message', () => port.postMessage({ queries, sources: [...sources] }));
