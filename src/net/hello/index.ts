export { ClientHelloReader, MAX_PRELUDE_BYTES } from './client-hello.ts';
export {
  findServerName,
  HANDSHAKE_HEADER_BYTES,
  HelloState,
  helloLength,
  MAX_HELLO_BYTES,
  type ServerName,
} from './server-name.ts';
