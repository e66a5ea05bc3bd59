const NAMES = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

/** What people call a region: the country's name where its id is a country's code (ISO 3166-1), else the id. */
export function regionTitle(id: string): string {
  if (!/^[a-z]{2}$/.test(id)) return id;
  const code = id === 'uk' ? 'GB' : id.toUpperCase();
  return NAMES.of(code) ?? id;
}
