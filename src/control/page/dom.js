/** @typedef {Node | string | null | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => unknown)>} Attributes */

/**
 * Creates an element. Attributes named `onclick` and so on are listeners; false, null and undefined omit one.
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
 * Formats text: words between double asterisks are menus and buttons of a screen.
 *
 * @param {string} text
 */
export function rich(text) {
  return text.split('**').map((part, index) => (index % 2 === 1 ? h('b', null, part) : part));
}

/**
 * Formats text of which the words in square brackets lead elsewhere.
 *
 * @param {string} text
 * @param {string} href
 */
export function withLink(text, href) {
  return text.split(/[[\]]/).map((part, index) => (index % 2 === 1 ? h('a', { href }, part) : part));
}

/**
 * Returns an element of the document that is known to exist.
 *
 * @param {string} id
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Remembers the focus before a render: of the same element, else of the same id, else of the section's heading, so that
 * keyboard users are not sent to the top.
 *
 * @param {Element | null} element
 * @returns {() => void} restores the focus
 */
export function rememberFocus(element) {
  const section = element === null ? null : element.closest('[aria-labelledby]');
  const ids = [
    element === null ? '' : element.id,
    section === null ? '' : section.getAttribute('aria-labelledby'),
  ];
  return () => {
    if (element instanceof HTMLElement && element.isConnected) return element.focus();
    const found = ids.map((id) => (id ? document.getElementById(id) : null)).find((one) => one !== null);
    if (!found) return focusHeading(byId('view'));
    if (/^H\d$/.test(found.tagName)) found.tabIndex = -1;
    found.focus({ preventScroll: true });
  };
}

/**
 * Shows an error in the element of that id, if the view has one.
 *
 * @param {string} id
 * @param {string} text
 */
export function showError(id, text) {
  const element = document.getElementById(id);
  if (element === null) return;
  element.textContent = text;
  element.hidden = false;
}

/**
 * Replaces the content of `parent`. The focus, text in fields with an id, errors with an id, and unfolded sections
 * survive.
 *
 * @param {HTMLElement} parent
 * @param {Node} content
 */
export function replaceContent(parent, content) {
  const active = document.activeElement;
  const hadFocus = active !== null && active !== parent && parent.contains(active);
  const bringBack = rememberFocus(active);
  const typed = new Map();
  for (const field of parent.querySelectorAll('input[id]')) {
    if (field instanceof HTMLInputElement && field.type !== 'checkbox') typed.set(field.id, field.value);
  }
  const open = new Set([...parent.querySelectorAll('details[open][id]')].map((element) => element.id));
  const errors = [...parent.querySelectorAll('.error-text[id]:not([hidden])')];
  parent.textContent = '';
  parent.append(content);
  for (const { id, textContent } of errors) showError(id, textContent || '');
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    if (field instanceof HTMLInputElement && !field.hasAttribute('data-fresh')) field.value = value;
  }
  for (const id of open) {
    const element = document.getElementById(id);
    if (element) element.setAttribute('open', '');
  }
  if (hadFocus) bringBack();
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
