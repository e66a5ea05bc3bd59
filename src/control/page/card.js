import { copyButton } from './copy.js';
import { h } from './dom.js';
import { icon } from './icons.js';

/** @typedef {import('./dom.js').Child} Child */

/**
 * A part of a view, under its heading.
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
 * One of a list, with the button that takes it away.
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
 * Values to be copied, each with its name.
 *
 * @param {readonly (readonly [name: string, value: string])[]} values
 */
export function pairs(values) {
  const rows = values.map(([name, value]) =>
    h(
      'div',
      null,
      h('dt', null, name),
      h('dd', null, h('code', null, value), copyButton(value, `the ${name.toLowerCase()}`)),
    ),
  );
  return h('dl', { class: 'pairs' }, rows);
}
