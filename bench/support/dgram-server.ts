/**
 * The baseline of bench/udp.ts: node:dgram with a fixed reply, without gate, catalog or EDNS. It does as
 * little as a DNS server can: it echoes the question and adds one A record.
 */
import { createSocket } from 'node:dgram';

const ANSWER = Buffer.from('c00c000100010000003c0004c000020a', 'hex');
const socket = createSocket('udp4');

socket.on('message', (query, peer) => {
  let end = 12;
  while (query[end] !== 0) end += query[end]! + 1;
  end += 5;
  const reply = Buffer.allocUnsafe(end + ANSWER.length);
  query.copy(reply, 0, 0, end);
  reply[2] = 0x81;
  reply[3] = 0x80;
  reply.writeUInt32BE(0x00010001, 4);
  reply.writeUInt32BE(0, 8);
  ANSWER.copy(reply, end);
  socket.send(reply, peer.port, peer.address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1', () => {
  socket.setRecvBufferSize(4 << 20);
  process.stdout.write('ready\n');
});
process.on('SIGTERM', () => process.exit());
