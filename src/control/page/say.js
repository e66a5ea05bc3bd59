/** Texts of the page in the person's language. The server compiles them from messages/*.json. */

/** @typedef {keyof typeof import('./messages/en.json')} MessageKey */
/** @typedef {Record<string, string | number>} Values */

const { language, languages, messages } = globalThis.pageTexts;

/**
 * Returns a message.
 *
 * @param {MessageKey} key
 * @param {Values} [values] of its placeholders
 */
export function say(key, values) {
  return sayAny(key, values) || key;
}

/**
 * Returns a message whose key is known only at run time.
 *
 * @param {string} key
 * @param {Values} [values]
 * @returns {string | null} null without such a message
 */
export function sayAny(key, values) {
  const message = messages[key];
  return message === undefined ? null : message(values || {});
}

/** Languages of the page: tag, and name in itself. */
export const LANGUAGES = languages;

/** Tag of the language that is shown. */
export const LANGUAGE = language;

/** The person's own variety of the language, for dates: `en-US` where the page is in `en`. */
const LOCALE =
  (navigator.languages || []).find((tag) => tag.split('-')[0] === language.split('-')[0]) || language;

/**
 * Describes a day; the service counts days by UTC.
 *
 * @param {string} time ISO 8601
 */
export function dateWords(time) {
  /** @type {Intl.DateTimeFormatOptions} */
  const options = {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
    numberingSystem: 'latn',
  };
  return new Date(time).toLocaleDateString(LOCALE, options);
}

/**
 * Names a region: the country in the person's language if the id is a country code.
 *
 * @param {{ id: string, title: string }} region
 */
export function regionName({ id, title }) {
  if (!/^[a-z]{2}$/.test(id)) return title;
  try {
    // Missing in browsers before 2020.
    const names = new Intl.DisplayNames(language, { type: 'region', fallback: 'none' });
    return names.of(id === 'uk' ? 'GB' : id.toUpperCase()) || title;
  } catch {
    return title;
  }
}

/**
 * Shows the page in another language from now on, on this browser.
 *
 * @param {string} tag
 */
export function chooseLanguage(tag) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  // biome-ignore lint/suspicious/noDocumentCookie: TVs' browsers have no Cookie Store API
  document.cookie = `ms_language=${tag}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  const url = new URL(location.href);
  url.searchParams.delete('lang');
  if (url.href === location.href) location.reload();
  else location.replace(url.href);
}
