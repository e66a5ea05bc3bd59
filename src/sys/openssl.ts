import { createRequire } from 'node:module';
import { getCACertificates } from 'node:tls';
import { libc } from './libc.ts';

/** The OpenSSL that the runtime brings, as its native addons see it (SSL_read(3) and its like). Pointers are numbers. */
export interface OpenSsl {
  TLS_client_method(): number;
  SSL_CTX_new(method: number): number;
  SSL_CTX_free(context: number): void;
  SSL_CTX_ctrl(context: number, command: number, value: number, pointer: null): number;
  SSL_CTX_set_verify(context: number, mode: number, callback: null): void;
  SSL_CTX_get_cert_store(context: number): number;
  SSL_CTX_set_alpn_protos(context: number, protocols: Uint8Array, length: number): number;
  BIO_new_mem_buf(bytes: Uint8Array, length: number): number;
  BIO_free(bio: number): number;
  PEM_read_bio_X509(bio: number, out: null, callback: null, argument: null): number;
  X509_STORE_add_cert(store: number, certificate: number): number;
  X509_free(certificate: number): void;
  SSL_new(context: number): number;
  SSL_free(connection: number): void;
  SSL_set_fd(connection: number, fd: number): number;
  SSL_ctrl(connection: number, command: number, value: number, text: string): number;
  SSL_set1_host(connection: number, name: string): number;
  SSL_set_hostflags(connection: number, flags: number): void;
  SSL_get0_param(connection: number): number;
  X509_VERIFY_PARAM_set1_ip_asc(parameters: number, address: string): number;
  SSL_connect(connection: number): number;
  SSL_read(connection: number, address: number, length: number): number;
  SSL_write(connection: number, address: number, length: number): number;
  SSL_get_error(connection: number, result: number): number;
  SSL_shutdown(connection: number): number;
  ERR_clear_error(): void;
}

/* Numbers of openssl/ssl.h, which OpenSSL 1.1.1 to 3.x share. */
const SSL_VERIFY_PEER = 1;
const SSL_CTRL_MODE = 33;
const SSL_CTRL_SET_READ_AHEAD = 41;
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const TLS1_2_VERSION = 0x303;
/** ENABLE_PARTIAL_WRITE, ACCEPT_MOVING_WRITE_BUFFER, RELEASE_BUFFERS. */
const MODES = 0x1 | 0x2 | 0x10;

let loaded: OpenSsl | null | undefined;

/** Loads it. Null where the runtime does not offer it, or sys/ does not run. */
export function openSsl(): OpenSsl | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): OpenSsl | null {
  if (libc() === null || !/^3\./.test(process.versions.openssl ?? '')) return null;
  const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi');
  const library = koffi.load(null);
  try {
    return {
      TLS_client_method: library.func('int64_t TLS_client_method()'),
      SSL_CTX_new: library.func('int64_t SSL_CTX_new(uint64_t)'),
      SSL_CTX_free: library.func('void SSL_CTX_free(uint64_t)'),
      SSL_CTX_ctrl: library.func('int64_t SSL_CTX_ctrl(uint64_t, int, int64_t, void *)'),
      SSL_CTX_set_verify: library.func('void SSL_CTX_set_verify(uint64_t, int, void *)'),
      SSL_CTX_get_cert_store: library.func('int64_t SSL_CTX_get_cert_store(uint64_t)'),
      SSL_CTX_set_alpn_protos: library.func('int SSL_CTX_set_alpn_protos(uint64_t, void *, uint32_t)'),
      BIO_new_mem_buf: library.func('int64_t BIO_new_mem_buf(void *, int)'),
      BIO_free: library.func('int BIO_free(uint64_t)'),
      PEM_read_bio_X509: library.func('int64_t PEM_read_bio_X509(uint64_t, void *, void *, void *)'),
      X509_STORE_add_cert: library.func('int X509_STORE_add_cert(uint64_t, uint64_t)'),
      X509_free: library.func('void X509_free(uint64_t)'),
      SSL_new: library.func('int64_t SSL_new(uint64_t)'),
      SSL_free: library.func('void SSL_free(uint64_t)'),
      SSL_set_fd: library.func('int SSL_set_fd(uint64_t, int)'),
      SSL_ctrl: library.func('int64_t SSL_ctrl(uint64_t, int, int64_t, const char *)'),
      SSL_set1_host: library.func('int SSL_set1_host(uint64_t, const char *)'),
      SSL_set_hostflags: library.func('void SSL_set_hostflags(uint64_t, uint32_t)'),
      SSL_get0_param: library.func('int64_t SSL_get0_param(uint64_t)'),
      X509_VERIFY_PARAM_set1_ip_asc: library.func(
        'int X509_VERIFY_PARAM_set1_ip_asc(uint64_t, const char *)',
      ),
      SSL_connect: library.func('int SSL_connect(uint64_t)'),
      SSL_read: library.func('int SSL_read(uint64_t, uint64_t, int)'),
      SSL_write: library.func('int SSL_write(uint64_t, uint64_t, int)'),
      SSL_get_error: library.func('int SSL_get_error(uint64_t, int)'),
      SSL_shutdown: library.func('int SSL_shutdown(uint64_t)'),
      ERR_clear_error: library.func('void ERR_clear_error()'),
    };
  } catch {
    // A runtime that keeps its OpenSSL to itself.
    return null;
  }
}

/**
 * Makes a client's context: TLS 1.2 or later, peers verified, by the authorities that node:tls trusts by default.
 * @param authorities PEM; they replace those
 * @param protocol for ALPN
 * @returns SSL_CTX *
 */
export function createTlsContext(
  ssl: OpenSsl,
  protocol: string,
  authorities: readonly string[] = getCACertificates('default'),
): number {
  const context = ssl.SSL_CTX_new(ssl.TLS_client_method());
  if (context === 0) throw new Error('SSL_CTX_new failed: out of memory');
  ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, null);
  ssl.SSL_CTX_ctrl(context, SSL_CTRL_MODE, MODES, null);
  ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1, null);
  ssl.SSL_CTX_set_verify(context, SSL_VERIFY_PEER, null);
  const name = Buffer.from(protocol, 'latin1');
  ssl.SSL_CTX_set_alpn_protos(context, Buffer.concat([Buffer.of(name.length), name]), name.length + 1);
  const store = ssl.SSL_CTX_get_cert_store(context);
  for (const pem of authorities) addAuthority(ssl, store, Buffer.from(pem, 'latin1'));
  ssl.ERR_clear_error();
  return context;
}

/** Adds each certificate of a PEM text. */
function addAuthority(ssl: OpenSsl, store: number, pem: Uint8Array): void {
  const bio = ssl.BIO_new_mem_buf(pem, pem.length);
  for (;;) {
    const certificate = ssl.PEM_read_bio_X509(bio, null, null, null);
    if (certificate === 0) break;
    ssl.X509_STORE_add_cert(store, certificate);
    ssl.X509_free(certificate);
  }
  ssl.BIO_free(bio);
}
