import { byId, h } from './dom.js';
import { icon } from './icons.js';
import { sentenceOf } from './problems.js';

const SHOWN_MS = 6000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * Announces success, visibly and to screen readers.
 *
 * @param {string} text
 */
export function tell(text) {
  show(text, 'check', '');
}

/**
 * Announces a failure and its reason.
 *
 * @param {unknown} error
 */
export function tellError(error) {
  show(sentenceOf(error), 'alert', 'bad');
}

/**
 * Announces text to screen readers only.
 *
 * @param {string} text
 */
export function speak(text) {
  byId('spoken').textContent = text;
}

/**
 * @param {string} text
 * @param {import('./icons.js').IconName} name
 * @param {string} kind
 */
function show(text, name, kind) {
  const place = byId('notice');
  clearTimeout(timer);
  place.textContent = '';
  place.append(h('div', { class: `notice ${kind}` }, icon(name), h('span', null, text)));
  timer = setTimeout(() => {
    place.textContent = '';
  }, SHOWN_MS);
}

/**
 * Creates a box in the page with a hint or a task.
 *
 * @param {'info' | 'warn' | 'bad' | 'good'} kind
 * @param {string} title
 * @param {...import('./dom.js').Child} body
 */
export function callout(kind, title, ...body) {
  const name = kind === 'good' ? 'check' : kind === 'info' ? 'info' : 'alert';
  return h(
    'div',
    { class: `callout ${kind}` },
    icon(name),
    h('div', { class: 'callout-body' }, h('p', { class: 'callout-title' }, title), body),
  );
}
