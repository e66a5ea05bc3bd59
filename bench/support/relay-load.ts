/**
 * Clients of a relay and the origin behind it, in a process of their own: reads orders as JSON lines on standard
 * input, and writes a line when each is done.
 */
import { createSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { queryFor } from './prober.ts';

export type Order =
  | { readonly kind: 'carry'; readonly port: number; readonly streams: number; readonly bytes: number }
  | { readonly kind: 'connect'; readonly port: number; readonly connections: number; readonly atOnce: number }
  | {
      readonly kind: 'visit';
      readonly dnsPort: number;
      readonly port: number;
      readonly visits: number;
      readonly atOnce: number;
      readonly bytes: number;
    }
  | { readonly kind: 'hold'; readonly port: number; readonly tunnels: number }
  | { readonly kind: 'release' };

export const NAME = 'www.relayed.example';
const BLOCK = Buffer.alloc(256 * 1024, 7);
const held: Socket[] = [];

/** A ClientHello whose session id says how many bytes are wanted. */
function hello(bytes: number): Buffer {
  const name = Buffer.from(NAME);
  const u16 = (value: number) => [value >> 8, value & 255];
  const list = [0, ...u16(name.length), ...name];
  const extension = [0, 0, ...u16(list.length + 2), ...u16(list.length), ...list];
  const session = Buffer.alloc(32);
  session.writeDoubleBE(bytes);
  const body = [
    ...[3, 3, ...Buffer.alloc(32, 5), 32, ...session],
    ...[0, 2, 0x13, 1, 1, 0, ...u16(extension.length), ...extension],
  ];
  const message = [1, 0, ...u16(body.length), ...body];
  return Buffer.from([22, 3, 1, ...u16(message.length), ...message]);
}
const SESSION_AT = 5 + 4 + 2 + 32 + 1;

function serve(socket: Socket): void {
  let left = -1;
  const more = (): void => {
    while (left > 0) {
      const part = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left);
      left -= part.length;
      if (!socket.write(part)) return;
    }
    if (left === 0) socket.end();
  };
  socket.once('data', (chunk) => {
    left = chunk.readDoubleBE(SESSION_AT);
    if (left > 0) more();
  });
  socket.on('drain', more);
  socket.on('error', () => socket.destroy());
}

/** Resolves to the bytes that came, once the connection has ended. */
function fetchBytes(port: number, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    const buffer = Buffer.allocUnsafe(256 * 1024);
    const socket = connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback(length) {
          count += length;
          return true;
        },
      },
    });
    socket.on('connect', () => socket.write(hello(bytes)));
    socket.on('error', reject);
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve(count));
  });
}

async function carry({ port, streams, bytes }: Extract<Order, { kind: 'carry' }>): Promise<void> {
  const share = Math.floor(bytes / streams);
  const counts = await Promise.all(Array.from({ length: streams }, () => fetchBytes(port, share)));
  if (counts.some((count) => count !== share)) throw new Error('not all bytes came');
}

async function connectAll({ port, connections, atOnce }: Extract<Order, { kind: 'connect' }>): Promise<void> {
  let left = connections;
  const client = async (): Promise<void> => {
    while (left-- > 0) if ((await fetchBytes(port, 1)) !== 1) throw new Error('no answer');
  };
  await Promise.all(Array.from({ length: atOnce }, client));
}

/** Plays devices: each asks for the name's address, then fetches by that name from the relay. */
async function visitAll({
  dnsPort,
  port,
  visits,
  atOnce,
  bytes,
}: Extract<Order, { kind: 'visit' }>): Promise<void> {
  const socket = createSocket('udp4');
  const waiting = new Map<number, (reply: Buffer) => void>();
  socket.on('message', (reply) => waiting.get(reply.readUInt16BE(0))?.(reply));
  let left = visits;
  const device = async (id: number): Promise<void> => {
    const query = queryFor(NAME, id);
    while (left-- > 0) {
      const reply = await new Promise<Buffer>((resolve) => {
        waiting.set(id, resolve);
        socket.send(query, dnsPort, '127.0.0.1');
      });
      if (reply.readUInt16BE(6) !== 1) throw new Error('no address');
      if ((await fetchBytes(port, bytes)) !== bytes) throw new Error('not all bytes came');
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, (_, id) => device(id)));
  } finally {
    socket.close();
  }
}

async function hold({ port, tunnels }: Extract<Order, { kind: 'hold' }>): Promise<void> {
  for (let i = 0; i < tunnels; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    held.push(socket);
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    socket.write(hello(0));
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
}

async function obey(order: Order): Promise<void> {
  if (order.kind === 'carry') await carry(order);
  else if (order.kind === 'connect') await connectAll(order);
  else if (order.kind === 'visit') await visitAll(order);
  else if (order.kind === 'hold') await hold(order);
  else for (const socket of held.splice(0)) socket.destroy();
}

if (import.meta.main) {
  const origin = createServer(serve);
  origin.listen(Number(process.argv[2]), '127.0.0.1', 4096, () => process.stdout.write('ready\n'));
  const orders = createInterface({ input: process.stdin });
  orders.on('close', () => process.exit());
  orders.on('line', (line) => {
    const startedAt = performance.now();
    obey(JSON.parse(line) as Order).then(
      () => process.stdout.write(`done ${performance.now() - startedAt}\n`),
      (error: Error) => process.stdout.write(`failed ${error.message}\n`),
    );
  });
}
