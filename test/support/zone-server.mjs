/** A name server for tests in network namespaces: zone-server.mjs ADDRESS FILE. FILE is read at each query: NAME ADDRESS a line. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import packet from 'dns-packet';

const [address, file] = process.argv.slice(2);

function answer(query) {
  const [question] = query.questions;
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const zone = lines.map((line) => line.split(' '));
  const found = zone.filter(([name]) => name === question.name.toLowerCase());
  const { name, type } = question;
  const answers = found.filter(([, data]) => type === (data.includes(':') ? 'AAAA' : 'A'));
  return packet.encode({
    type: 'response',
    id: query.id,
    flags: packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE | (found.length === 0 ? 3 : 0),
    questions: [question],
    answers: answers.map(([, data]) => ({ name, type, ttl: 1, data })),
  });
}

const socket = createSocket('udp4');
socket.on('message', (message, { port, address: to }) => {
  socket.send(answer(packet.decode(message)), port, to);
});
socket.bind(53, address, () => process.stdout.write('serving\n'));
