import { type LoadedConfig, loadConfig, locateConfig } from '../config/index.ts';
import type { Io } from './command.ts';

/** Reads the configuration that a command runs with. @param argument of --config @throws ConfigError */
export function readConfig(argument: string | undefined, io: Pick<Io, 'cwd' | 'env'>): LoadedConfig {
  return loadConfig({ file: locateConfig(argument, io.env), env: io.env, cwd: io.cwd });
}
