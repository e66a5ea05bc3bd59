import { h } from './dom.js';
import { chooseLanguage, LANGUAGE, LANGUAGES } from './say.js';

/**
 * Fills a select with the page's languages, each named in itself. Choosing one shows the page in it.
 *
 * @param {HTMLSelectElement} select
 */
export function fillLanguages(select) {
  for (const [tag, name] of LANGUAGES) {
    select.append(h('option', { value: tag, lang: tag, selected: tag === LANGUAGE }, name));
  }
  select.addEventListener('change', () => chooseLanguage(select.value));
}
