export { startHttpsListener } from './listener.ts';
export { DOH_PATH } from './path.ts';
