import type { ProxyUrl } from '../../net/index.ts';
import { EgressOutcome } from './egress-outcome.ts';
import {
  type Destination,
  failed,
  type HandshakeStep,
  MORE,
  type ProxyHandshake,
} from './proxy-handshake.ts';

/** Constants of RFC 1928. */
const VERSION = 5;
const NO_AUTHENTICATION = 0;
const USERNAME_PASSWORD = 2;
const NO_ACCEPTABLE_METHOD = 0xff;
const CONNECT = 1;
const IPV4 = 1;
const DOMAIN = 3;
const IPV6 = 4;
/** Version of the username/password sub-negotiation (RFC 1929). */
const AUTHENTICATION_VERSION = 1;

/** Outcomes of REP values (RFC 1928 section 6); any other value means that the proxy itself failed. */
const REPLIES: Readonly<Record<number, EgressOutcome>> = {
  // Connection not allowed by ruleset.
  2: EgressOutcome.FORBIDDEN,
  // Network unreachable, host unreachable, connection refused, TTL expired.
  3: EgressOutcome.ORIGIN,
  4: EgressOutcome.ORIGIN,
  5: EgressOutcome.ORIGIN,
  6: EgressOutcome.ORIGIN,
  // Address type not supported: a proxy without IPv6.
  8: EgressOutcome.FORBIDDEN,
};

const Part = { METHOD: 0, AUTHENTICATION: 1, REPLY: 2 } as const;
type Part = (typeof Part)[keyof typeof Part];

/** SOCKS5 (RFC 1928) with optional username and password (RFC 1929). */
export class Socks5Handshake implements ProxyHandshake {
  readonly greeting: Uint8Array;
  isGreeted = false;
  private readonly credentials: ProxyUrl['credentials'];
  private readonly destination: Destination | null;
  private part: Part = Part.METHOD;
  private held: Uint8Array = new Uint8Array(0);

  /** @param destination null: only check that the proxy accepts the credentials */
  constructor(credentials: ProxyUrl['credentials'], destination: Destination | null) {
    this.credentials = credentials;
    this.destination = destination;
    const methods = credentials === null ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USERNAME_PASSWORD];
    this.greeting = Uint8Array.of(VERSION, methods.length, ...methods);
  }

  handle(chunk: Uint8Array): HandshakeStep {
    this.held = Buffer.concat([this.held, chunk]);
    if (this.part === Part.REPLY) return this.handleReply();
    if (this.held.length < 2) return MORE;
    // The proxy must not send ahead of our request.
    if (this.held.length > 2) return failed(EgressOutcome.FAILED);
    const [version, value] = this.held;
    this.held = new Uint8Array(0);
    return this.part === Part.METHOD
      ? this.handleMethod(version, value)
      : this.handleAuthentication(version, value);
  }

  private handleMethod(version: number, method: number): HandshakeStep {
    if (version !== VERSION) return failed(EgressOutcome.FAILED);
    if (method === NO_AUTHENTICATION) return this.request();
    if (method === NO_ACCEPTABLE_METHOD) return failed(EgressOutcome.CREDENTIALS);
    if (method !== USERNAME_PASSWORD || this.credentials === null) return failed(EgressOutcome.FAILED);
    const [username, password] = [this.credentials.username, this.credentials.password].map((text) =>
      Buffer.from(text),
    );
    this.part = Part.AUTHENTICATION;
    const bytes = [AUTHENTICATION_VERSION, username!.length, ...username!, password!.length, ...password!];
    return { kind: 'send', bytes: Uint8Array.from(bytes) };
  }

  private handleAuthentication(version: number, status: number): HandshakeStep {
    if (version !== AUTHENTICATION_VERSION) return failed(EgressOutcome.FAILED);
    return status === 0 ? this.request() : failed(EgressOutcome.CREDENTIALS);
  }

  private request(): HandshakeStep {
    this.isGreeted = true;
    if (this.destination === null) return { kind: 'open', rest: new Uint8Array(0) };
    const { address, port } = this.destination;
    this.part = Part.REPLY;
    const type = address.family === 4 ? IPV4 : IPV6;
    const bytes = Uint8Array.of(VERSION, CONNECT, 0, type, ...address.bytes, port >> 8, port & 0xff);
    return { kind: 'send', bytes };
  }

  /** Reads VER, REP, RSV, ATYP, BND.ADDR, BND.PORT; the bound address matters for its length only. */
  private handleReply(): HandshakeStep {
    const { held } = this;
    if (held.length > 0 && held[0] !== VERSION) return failed(EgressOutcome.FAILED);
    if (held.length > 1 && held[1] !== 0) return failed(REPLIES[held[1]] ?? EgressOutcome.FAILED);
    if (held.length < 5) return MORE;
    const type = held[3];
    const addressBytes = type === IPV4 ? 4 : type === IPV6 ? 16 : type === DOMAIN ? 1 + held[4] : 0;
    if (addressBytes === 0) return failed(EgressOutcome.FAILED);
    const end = 4 + addressBytes + 2;
    return held.length < end ? MORE : { kind: 'open', rest: held.subarray(end) };
  }
}
