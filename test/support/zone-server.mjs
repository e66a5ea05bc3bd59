/** A name server for tests in network namespaces: zone-server.mjs ADDRESS FILE. FILE is read at each query: NAME ADDRESS, NAME =TEXT, or  for a zone that is delegated, NAME @ADDRESS of its name server, a line. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import packet from 'dns-packet';

const [address, file] = process.argv.slice(2);

function readZone() {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => line.split(' '));
}

/** Address of the name server that a name is delegated to. */
function serverOf({ questions: [{ name }] }) {
  const asked = name.toLowerCase();
  const found = readZone().find(
    ([zone, data]) => data?.startsWith('@') && (asked === zone || asked.endsWith(`.${zone}`)),
  );
  return found?.[1].slice(1);
}

/** Asks the name server, as a resolver does. */
function forward(message, server, reply) {
  const upstream = createSocket('udp4');
  const timer = setTimeout(() => upstream.close(), 2000);
  upstream.on('message', (answered) => {
    clearTimeout(timer);
    upstream.close();
    reply(answered);
  });
  upstream.on('error', () => upstream.close());
  upstream.send(message, 53, server);
}

function answer(query) {
  const [question] = query.questions;
  const zone = readZone();
  const found = zone.filter(([name]) => name === question.name.toLowerCase());
  const { name, type } = question;
  const answers = found.filter(([, data]) => type === typeOf(data));
  return packet.encode({
    type: 'response',
    id: query.id,
    flags: packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE | (found.length === 0 ? 3 : 0),
    questions: [question],
    answers: answers.map(([, data]) => ({ name, type, ttl: 1, data: data.replace(/^=/, '') })),
  });
}

function typeOf(data) {
  if (data.startsWith('=')) return 'TXT';
  return data.includes(':') ? 'AAAA' : 'A';
}

const socket = createSocket('udp4');
socket.on('message', (message, { port, address: to }) => {
  const query = packet.decode(message);
  const server = serverOf(query);
  if (server === undefined) socket.send(answer(query), port, to);
  else forward(message, server, (reply) => socket.send(reply, port, to));
});
socket.bind(53, address, () => process.stdout.write('serving\n'));
