/**
 * What contract.md has and this release is without. A value other than the default is a fault, so that no key
 * is taken and then does nothing. Whoever builds one takes it off this list.
 */
export const NOT_BUILT_KEYS: readonly string[] = [];

/** Values of keys that are built but for these: the key (its list's items likewise) and how the text begins. */
export const NOT_BUILT_VALUES: readonly { readonly key: string; readonly prefix: string }[] = [];

export const NOT_BUILT = 'not built in this release';

/** Whether a key as a whole is without effect; `path` as in faults. */
export function isNotBuilt(path: string): boolean {
  return NOT_BUILT_KEYS.includes(path);
}

/** The beginning by which a value is known that is not built; undefined where it is. */
export function notBuiltPrefix(path: string, value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const key = path.replace(/\[\d+\]$/, '');
  return NOT_BUILT_VALUES.find((entry) => entry.key === key && value.startsWith(entry.prefix))?.prefix;
}
