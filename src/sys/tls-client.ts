import type { Memory } from './memory.ts';
import { createTlsContext, type OpenSsl, openSsl } from './openssl.ts';
import { closeSocket } from './socket.ts';
import { connectError, openTcpClient, sendAtOnce } from './tcp.ts';

const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;
const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
/** X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS: `w*.example.net` matches nothing (RFC 9525 6.3). */
const NO_PARTIAL_WILDCARDS = 0x4;

/** Whom to connect to, and what its certificate must be for. */
export interface TlsPeer {
  readonly family: 4 | 6;
  /** As peerName makes it. */
  readonly name: Uint8Array;
  /** In the certificate, and in SNI; null: the certificate is for the address. */
  readonly serverName: string | null;
  /** IP literal without zone. */
  readonly address: string;
}

export const TlsState = {
  /** Waits for the descriptor to be writable. */
  CONNECTING: 0,
  HANDSHAKE: 1,
  OPEN: 2,
  /** Refused, not trusted, or ended. */
  ENDED: 3,
} as const;
export type TlsState = (typeof TlsState)[keyof typeof TlsState];

/** A TLS client's settings, for connections of one thread. It lives as long as the thread. */
export class TlsContext {
  readonly ssl: OpenSsl;
  readonly pointer: number;

  private constructor(ssl: OpenSsl, protocol: string, authorities?: readonly string[]) {
    this.ssl = ssl;
    this.pointer = createTlsContext(ssl, protocol, authorities);
  }

  /**
   * @param protocol for ALPN
   * @param authorities PEM; they replace those that node:tls trusts by default
   * @returns null where the runtime does not offer its OpenSSL
   */
  static create(protocol: string, authorities?: readonly string[]): TlsContext | null {
    const ssl = openSsl();
    return ssl === null ? null : new TlsContext(ssl, protocol, authorities);
  }

  close(): void {
    this.ssl.SSL_CTX_free(this.pointer);
  }
}

/**
 * One TLS connection without node's event loop: the caller waits for `fd` by epoll, and calls `advance` until it is OPEN,
 * then `read` and `write`. The peer is verified before it is OPEN.
 */
export class TlsClient {
  /** -errno: it could not even start. */
  readonly fd: number;
  state: TlsState = TlsState.CONNECTING;
  /** True if progress needs room to send, not data to read. */
  wantsWrite = true;
  private readonly ssl: OpenSsl;
  private connection = 0;

  constructor(context: TlsContext, peer: TlsPeer) {
    this.ssl = context.ssl;
    this.fd = openTcpClient(peer.family, peer.name);
    if (this.fd < 0) {
      this.state = TlsState.ENDED;
      return;
    }
    sendAtOnce(this.fd);
    this.prepare(context, peer);
  }

  private prepare(context: TlsContext, { serverName, address }: TlsPeer): void {
    const { ssl } = this;
    this.connection = ssl.SSL_new(context.pointer);
    const { connection } = this;
    let isReady = connection !== 0 && ssl.SSL_set_fd(connection, this.fd) === 1;
    if (isReady && serverName !== null) {
      ssl.SSL_set_hostflags(connection, NO_PARTIAL_WILDCARDS);
      isReady =
        ssl.SSL_set1_host(connection, serverName) === 1 &&
        ssl.SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, serverName) === 1;
    } else if (isReady) {
      isReady = ssl.X509_VERIFY_PARAM_set1_ip_asc(ssl.SSL_get0_param(connection), address) === 1;
    }
    if (!isReady) this.close();
  }

  /** Goes on with connecting, after an event of the descriptor. */
  advance(): TlsState {
    if (this.state === TlsState.CONNECTING) {
      if (connectError(this.fd) !== 0) return this.close();
      this.state = TlsState.HANDSHAKE;
    }
    if (this.state !== TlsState.HANDSHAKE) return this.state;
    this.ssl.ERR_clear_error();
    const result = this.ssl.SSL_connect(this.connection);
    if (result === 1) {
      this.wantsWrite = false;
      this.state = TlsState.OPEN;
    } else this.note(result);
    return this.state;
  }

  /** @returns bytes read into `memory`, from its start; 0: nothing waits, or the state is ENDED */
  read(memory: Memory): number {
    if (this.state !== TlsState.OPEN) return 0;
    this.ssl.ERR_clear_error();
    const count = this.ssl.SSL_read(this.connection, memory.address, memory.bytes.length);
    if (count > 0) return count;
    this.note(count);
    return 0;
  }

  /** @returns bytes of memory[from, to) that were taken; 0: no room, or the state is ENDED */
  write(memory: Memory, from: number, to: number): number {
    if (this.state !== TlsState.OPEN) return 0;
    this.ssl.ERR_clear_error();
    const count = this.ssl.SSL_write(this.connection, memory.address + from, to - from);
    if (count > 0) return count;
    this.note(count);
    return 0;
  }

  /** Ends the connection; sends close_notify where it is open. */
  close(): TlsState {
    if (this.state === TlsState.ENDED) return this.state;
    if (this.connection !== 0) {
      this.ssl.ERR_clear_error();
      if (this.state === TlsState.OPEN) this.ssl.SSL_shutdown(this.connection);
      this.ssl.SSL_free(this.connection);
      this.connection = 0;
    }
    closeSocket(this.fd);
    this.state = TlsState.ENDED;
    return this.state;
  }

  private note(result: number): void {
    const error = this.ssl.SSL_get_error(this.connection, result);
    this.wantsWrite = error === SSL_ERROR_WANT_WRITE;
    if (error === SSL_ERROR_WANT_READ || error === SSL_ERROR_WANT_WRITE) return;
    // After a fatal error nothing may be sent: no close_notify.
    this.state = TlsState.HANDSHAKE;
    this.close();
  }
}
