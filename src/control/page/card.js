import { copyButton } from './copy.js';
import { h } from './dom.js';
import { icon } from './icons.js';

/** @typedef {import('./dom.js').Child} Child */

/**
 * Creates a section of a view with a heading.
 *
 * @param {string} id
 * @param {string} title
 * @param {string | null} lead what it is for
 * @param {...(Child | Child[])} children
 */
export function card(id, title, lead, ...children) {
  return h(
    'section',
    { class: 'card', id, 'aria-labelledby': `${id}-title` },
    h('h2', { id: `${id}-title` }, title),
    lead === null ? null : h('p', { class: 'soft' }, lead),
    ...children,
  );
}

/**
 * Creates a list item with the button that removes it.
 *
 * @param {object} options
 * @param {Child[]} options.title
 * @param {Child[]} options.details
 * @param {string} options.id the button's, so that the focus finds it again
 * @param {string} options.button
 * @param {string} options.name what the button is called
 * @param {() => unknown} options.act
 */
export function item({ title, details, id, button, name, act }) {
  return h(
    'li',
    { class: 'item' },
    h(
      'div',
      { class: 'item-main' },
      h('p', { class: 'item-title' }, title),
      h('p', { class: 'item-detail' }, details),
    ),
    h(
      'button',
      { type: 'button', class: 'button small quiet', id, 'aria-label': name, onclick: act },
      icon('bin'),
      h('span', null, button),
    ),
  );
}

/**
 * Creates a list of named values, each with a copy button.
 *
 * @param {readonly (readonly [name: string, value: string])[]} values
 */
export function pairs(values) {
  const rows = values.map(([name, value]) =>
    h('div', null, h('dt', null, name), h('dd', null, h('code', null, value), copyButton(value, name))),
  );
  return h('dl', { class: 'pairs' }, rows);
}
