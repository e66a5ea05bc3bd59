import type { IncomingMessage } from 'node:http';
import Negotiator from 'negotiator';

/** A language of the page. */
export interface Language {
  /** BCP 47. */
  readonly tag: string;
  /** Its name in itself, as lists of languages show it. */
  readonly name: string;
  readonly direction: 'ltr' | 'rtl';
}

const ltr = (tag: string, name: string): Language => ({ tag, name, direction: 'ltr' });

export const ENGLISH = ltr('en', 'English');

export const LANGUAGES: readonly Language[] = [ENGLISH];

/** The cookie in which the page keeps a person's choice. It holds a tag and nothing else. */
const COOKIE = /(?:^|;\s*)ms_language=([A-Za-z-]{2,35})(?:;|$)/;

/** Preferences of one Accept-Language that are looked at. */
const MAX_PREFERENCES = 16;

/**
 * Chooses the language of a page: `?lang=`, else the person's earlier choice, else the browser's first preference that
 * there is, else English.
 */
export function chooseLanguage(request: IncomingMessage, asked: string | undefined): Language {
  const chosen = COOKIE.exec(request.headers.cookie ?? '')?.[1];
  const preferred = new Negotiator(request).languages().slice(0, MAX_PREFERENCES);
  for (const tag of [asked, chosen, ...preferred]) {
    const found = tag === undefined ? undefined : languageOf(tag);
    if (found !== undefined) return found;
  }
  return ENGLISH;
}

/** Returns the language for a tag such as `de-AT` or `zh-CN`: same language, same script. */
function languageOf(tag: string): Language | undefined {
  const wanted = scriptOf(tag);
  return wanted === null ? undefined : LANGUAGES.find((one) => scriptOf(one.tag) === wanted);
}

/** Returns language and script, such as `zh-Hans` for `zh-CN`; null for what is not a tag. */
function scriptOf(tag: string): string | null {
  try {
    const { language, script } = new Intl.Locale(tag).maximize();
    return `${language}-${script}`;
  } catch {
    return null;
  }
}
