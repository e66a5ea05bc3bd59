import { h } from './dom.js';
import { icon } from './icons.js';
import { tell } from './notice.js';
import { say } from './say.js';

/**
 * Creates a button that copies `text`.
 *
 * @param {string} text
 * @param {string} what what it is, for people who do not see the text beside it
 */
export function copyButton(text, what) {
  return h(
    'button',
    {
      type: 'button',
      class: 'button small',
      'aria-label': say('do.copy-name', { what }),
      onclick: () => copy(text, what),
    },
    icon('copy'),
    h('span', null, say('do.copy')),
  );
}

/**
 * @param {string} text
 * @param {string} what
 */
async function copy(text, what) {
  if (await copyText(text)) tell(say('do.copied', { what }));
  else tell(say('do.copy-by-hand', { what }));
}

/** @param {string} text */
async function copyText(text) {
  try {
    // Missing on pages without https.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

/** @param {string} text */
function copySelection(text) {
  const focused = document.activeElement;
  const field = h('textarea', { class: 'offscreen', 'aria-hidden': 'true', tabindex: '-1' });
  field.value = text;
  (document.querySelector('dialog[open]') || document.body).append(field);
  field.select();
  let isCopied = false;
  try {
    isCopied = document.execCommand('copy');
  } catch {
    // The browser forbids it.
  }
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
