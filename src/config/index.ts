export { reachedAt } from './derive.ts';
export { formatSize } from './formats.ts';
export { type Listener, listenersOf } from './listeners.ts';
export { type LoadedConfig, type LoadOptions, loadConfig } from './load.ts';
export { DEFAULT_CONFIG_FILE, locateConfig } from './locate.ts';
export { ConfigError } from './problem.ts';
export type { Config, RelayConfig, Role } from './schema.ts';
