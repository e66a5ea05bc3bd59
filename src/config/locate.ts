import { fileURLToPath } from 'node:url';
import type { Environment } from './substitute.ts';

/** The configuration that is read where none is named: it stands beside the program, wherever it is started. */
export const DEFAULT_CONFIG_FILE = fileURLToPath(new URL('../../config/default.yaml', import.meta.url));

/** Which file to read: the argument of `--config`, else MEDIASTREAMER_CONFIG, else the default. */
export function locateConfig(argument: string | undefined, env: Environment): string {
  return argument ?? (env['MEDIASTREAMER_CONFIG'] || DEFAULT_CONFIG_FILE);
}
