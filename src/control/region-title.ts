const NAMES = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

/** Returns the country's name if the region's id is a country code (ISO 3166-1), else the id. */
export function regionTitle(id: string): string {
  if (!/^[a-z]{2}$/.test(id)) return id;
  const code = id === 'uk' ? 'GB' : id.toUpperCase();
  return NAMES.of(code) ?? id;
}
