import { fileURLToPath } from 'node:url';
import type { Environment } from './substitute.ts';

/** Default configuration, beside the program; independent of the current directory. */
export const DEFAULT_CONFIG_FILE = fileURLToPath(new URL('../../config/default.yaml', import.meta.url));

/** Returns the file to read: the argument of `--config`, else MEDIASTREAMER_CONFIG, else the default. */
export function locateConfig(argument: string | undefined, env: Environment): string {
  return argument ?? (env['MEDIASTREAMER_CONFIG'] || DEFAULT_CONFIG_FILE);
}
