/**
 * Sends random and mutated messages over DNS over TLS and HTTPS from a registered source. Every reply must belong to a
 * message that was sent, or be an HTTP status, and a good query must be answered afterwards.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { StreamFramer } from '../../src/wire/index.ts';
import { makeCertificate } from '../support/certificate.ts';
import { encodeQuery, readReply, shown } from '../support/dns-client.ts';
import { Chance, PacketMaker } from '../support/mutate.ts';
import { FILMS, RELAY, RunningService, SERIES, temporaryFolder } from '../support/service.ts';

const MESSAGES = 4_000;
/** Messages per connection: over TLS one that is not a query ends the connection. */
const TLS_BURST = 4;
const HTTPS_BURST = 50;
/** Reproduce a failure with MEDIASTREAMER_FUZZ_SEED=n. */
const seed = Number(process.env['MEDIASTREAMER_FUZZ_SEED'] ?? randomInt(2 ** 32));
const NAMES = [FILMS, `www.${SERIES}`, 'other.example', 'localhost', 'onion', '.'];
const STEERED = `NOERROR ${RELAY.us.address}`;

let service: RunningService;
beforeAll(async () => {
  const folder = temporaryFolder();
  const { cert, key } = makeCertificate(['DNS:dns.example']);
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  const dns = {
    tls: ['127.0.0.1:0'],
    https: ['127.0.0.1:0'],
    tcpLimits: { connectionsPerSource: 4096, queriesPerConnection: 100_000 },
  };
  // Upstreams that refuse at once: unanswered questions would take seconds each.
  service = await RunningService.start({ config: { dns, tls: { certFile, keyFile } } });
  await service.household(['127.0.0.1']);
});
afterAll(async () => {
  const exit = await service.stop();
  const crash = service.lines.find(({ msg }) => msg === 'crash' || msg === 'a query was not answered');
  expect({ ...exit, crash, seed }).toEqual({ code: 0, signal: null, crash: undefined, seed });
});

const frame = (message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([message.length >>> 8, message.length & 255]), message]);

/** Sends a burst, then a good query. @returns the replies up to the good one's, or to the end of the connection */
async function burstOverTls(messages: readonly Buffer[]): Promise<Buffer[]> {
  const socket = connectTls({ ...service.tls, rejectUnauthorized: false });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await once(socket, 'secureConnect');
  const replies: Buffer[] = [];
  const framer = new StreamFramer();
  socket.on('data', (chunk) => framer.push(chunk, (m) => replies.push(Buffer.from(m))));
  socket.end(Buffer.concat(messages.map(frame)));
  await closed;
  return replies;
}

it(`over TLS every reply has the ID of a message, or the connection ends (seed ${seed})`, async () => {
  const maker = new PacketMaker(new Chance(seed), NAMES);
  let answered = 0;
  for (let sent = 0; sent < MESSAGES; sent += TLS_BURST) {
    const messages = Array.from({ length: TLS_BURST }, (_, i) => maker.next(i));
    for (const reply of await burstOverTls(messages)) {
      expect(reply.length, `seed ${seed}`).toBeGreaterThanOrEqual(12);
      expect(reply[2] & 0x80, `seed ${seed}`).toBe(0x80);
      expect(reply.readUInt16BE(0), `seed ${seed}`).toBeLessThan(TLS_BURST);
      answered++;
    }
  }
  expect(answered, `seed ${seed}`).toBeGreaterThan(MESSAGES / 20);
  const [good] = await burstOverTls([encodeQuery({ name: FILMS })]);
  expect(shown(readReply(good))).toBe(STEERED);
});

it(`over HTTPS every message gets a reply with its ID, or status 400 (seed ${seed})`, async () => {
  const maker = new PacketMaker(new Chance(seed ^ 1), NAMES);
  const session = connectHttp2(`https://127.0.0.1:${service.https.port}`, { rejectUnauthorized: false });
  const post = async (message: Buffer): Promise<{ status: number; body: Buffer }> => {
    const headers = { ':method': 'POST', ':path': '/dns-query', 'content-type': 'application/dns-message' };
    const stream = session.request(headers);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.end(message);
    const [{ ':status': status }] = await once(stream, 'response');
    if (!stream.closed) await once(stream, 'close');
    return { status, body: Buffer.concat(chunks) };
  };
  const seen = new Map<number, number>();
  for (let sent = 0; sent < MESSAGES; sent += HTTPS_BURST) {
    const messages = Array.from({ length: HTTPS_BURST }, (_, i) => maker.next(i));
    const replies = await Promise.all(messages.map(post));
    for (const [i, { status, body }] of replies.entries()) {
      seen.set(status, (seen.get(status) ?? 0) + 1);
      if (status === 200) expect([body.readUInt16BE(0), body[2] & 0x80], `seed ${seed}`).toEqual([i, 0x80]);
      else expect([status, body.length], `seed ${seed}`).toEqual([400, 0]);
    }
  }
  expect([...seen.keys()].toSorted()).toEqual([200, 400]);
  expect(shown(readReply((await post(encodeQuery({ name: FILMS }))).body))).toBe(STEERED);
  session.close();
});
