/** @typedef {Node | string | null | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => unknown)>} Attributes */

/**
 * Makes an element. Attributes named `onclick` and so on are listeners; false, null and undefined leave one out.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes | null} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  const given = attributes || {};
  for (const name of Object.keys(given)) {
    const value = given[name];
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  for (const child of children.flat()) append(element, child);
  return element;
}

/**
 * @param {Element} parent
 * @param {unknown} child
 */
function append(parent, child) {
  if (typeof child === 'string' || child instanceof Node) parent.append(child);
}

/**
 * An element of the document that is known to be there.
 *
 * @param {string} id
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Puts `content` in the place of what `parent` holds. The focus, and what was typed into fields with an id, survive; a
 * focus whose element is gone goes to `parent`'s first heading, so that a keyboard is not thrown to the top.
 *
 * @param {HTMLElement} parent
 * @param {Node} content
 */
export function replaceContent(parent, content) {
  const active = document.activeElement;
  const hadFocus = active !== null && active !== parent && parent.contains(active);
  const focusId = hadFocus ? active.id : '';
  const typed = new Map();
  for (const field of parent.querySelectorAll('input[id]')) {
    if (field instanceof HTMLInputElement && field.type !== 'checkbox') typed.set(field.id, field.value);
  }
  const open = new Set([...parent.querySelectorAll('details[open][id]')].map((element) => element.id));
  parent.textContent = '';
  parent.append(content);
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    if (field instanceof HTMLInputElement && !field.hasAttribute('data-fresh')) field.value = value;
  }
  for (const id of open) {
    const element = document.getElementById(id);
    if (element) element.setAttribute('open', '');
  }
  if (!hadFocus) return;
  const next = focusId === '' ? null : document.getElementById(focusId);
  if (next !== null && !(next instanceof HTMLButtonElement && next.disabled)) next.focus();
  else focusHeading(parent);
}

/**
 * Moves the focus to the first heading inside.
 *
 * @param {HTMLElement} parent
 */
export function focusHeading(parent) {
  const heading = /** @type {HTMLElement | null} */ (parent.querySelector('h1, h2, h3'));
  if (heading === null) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
