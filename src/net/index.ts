export {
  type Address,
  addressFromBytes,
  type Family,
  formatAddress,
  IPV4_BYTES,
  IPV6_BYTES,
  parseAddress,
  readWord,
  sameAddress,
} from './address.ts';
export { HttpLimits, type HttpLimitsOptions } from './http-limits.ts';
export { ListenError } from './listen-error.ts';
export { contains, formatPrefix, type Prefix, parsePrefix, prefixOf, registrationPrefix } from './prefix.ts';
export { ProbeNotice, readProbeNotice, writeProbeNotice } from './probe-notice.ts';
export {
  type ProxyHeader,
  type ProxyHeaderVersion,
  readProxyHeader,
  writeProxyHeader,
} from './proxy-protocol.ts';
export { type ProxyUrl, parseProxyUrl, proxyLabel } from './proxy-url.ts';
export { parseRedisUrl, type RedisUrl, readRedisTls, sameRedisUser } from './redis-url.ts';
export { type Scope, scopeOf } from './scope.ts';
export {
  distinctAddresses,
  formatSocketAddress,
  listenOptions,
  parseSocketAddress,
  type SocketAddress,
} from './socket-address.ts';
export { peerAddress, type Source, sourceFromAddress, sourceFromText } from './source.ts';
export {
  readTlsCertificate,
  TICKET_KEYS_BYTES,
  type TlsCertificate,
  TlsCertificateError,
  type TlsIdentity,
} from './tls-identity.ts';
