import { formatSocketAddress, type ProxyUrl } from '../../net/index.ts';
import { EgressOutcome } from './egress-outcome.ts';
import {
  type Destination,
  failed,
  type HandshakeStep,
  MORE,
  type ProxyHandshake,
} from './proxy-handshake.ts';

const MAX_HEAD_BYTES = 8192;
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/;

/** Outcomes of refusing statuses; any other status means that the proxy itself failed. */
const STATUSES: Readonly<Record<number, EgressOutcome>> = {
  400: EgressOutcome.FORBIDDEN,
  401: EgressOutcome.CREDENTIALS,
  403: EgressOutcome.FORBIDDEN,
  404: EgressOutcome.ORIGIN,
  405: EgressOutcome.FORBIDDEN,
  407: EgressOutcome.CREDENTIALS,
  451: EgressOutcome.FORBIDDEN,
  502: EgressOutcome.ORIGIN,
  503: EgressOutcome.ORIGIN,
  504: EgressOutcome.ORIGIN,
};

/** HTTP/1.1 CONNECT (RFC 9110 section 9.3.6), with optional Basic credentials (RFC 7617). */
export class HttpConnectHandshake implements ProxyHandshake {
  readonly greeting: Uint8Array;
  /** An HTTP proxy is silent until it has tried the origin. */
  readonly isGreeted = true;
  private held: Buffer = Buffer.alloc(0);

  constructor(credentials: ProxyUrl['credentials'], destination: Destination) {
    const authority = formatSocketAddress(destination);
    const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
    if (credentials !== null) {
      const { username, password } = credentials;
      lines.push(`Proxy-Authorization: Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`);
    }
    this.greeting = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  }

  handle(chunk: Uint8Array): HandshakeStep {
    this.held = Buffer.concat([this.held, chunk]);
    for (;;) {
      const end = this.held.indexOf('\r\n\r\n', 0, 'latin1');
      if (end < 0) return this.held.length > MAX_HEAD_BYTES ? failed(EgressOutcome.FAILED) : MORE;
      const status = Number(STATUS_LINE.exec(this.held.toString('latin1', 0, end + 2))?.[1] ?? 0);
      const rest = this.held.subarray(end + 4);
      // Tunnel from here on; Content-Length and Transfer-Encoding of a 2xx are ignored (RFC 9110 section
      // 9.3.6).
      if (status >= 200 && status < 300) return { kind: 'open', rest };
      // Skip interim responses (RFC 9110 section 15.2), but not 101, which switches protocols.
      if (status < 100 || status > 199 || status === 101) {
        return failed(STATUSES[status] ?? EgressOutcome.FAILED);
      }
      this.held = rest;
    }
  }
}
