export { RemoteResolver } from './remote-resolver.ts';
export { serveResolver } from './serve-resolver.ts';
