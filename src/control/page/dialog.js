import { h, rememberFocus, rich } from './dom.js';
import { sentenceOf } from './problems.js';
import { say } from './say.js';

/**
 * Asks for confirmation. If the action fails, the dialog stays open and shows why.
 *
 * @typedef {object} Question
 * @property {string} title
 * @property {import('./dom.js').Child[]} body
 * @property {string} yes label of the button that confirms
 * @property {boolean} [isGrave] it cannot be undone
 * @property {string} [typed] a word to type before the button works
 * @property {() => Promise<unknown>} act
 *
 * @param {Question} question
 * @returns {Promise<boolean>} whether it was done
 */
export function ask({ title, body, yes, isGrave, typed, act }) {
  return new Promise((resolve) => {
    const bringBack = rememberFocus(document.activeElement);
    let isDone = false;
    const message = h('p', { class: 'error-text', role: 'alert', hidden: true });
    const go = h('button', { class: isGrave ? 'button danger' : 'button primary', type: 'submit' }, yes);
    const field = typed === undefined ? null : typedField(typed, go);
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (field !== null && !isTyped(field.input, /** @type {string} */ (typed))) return;
      setBusy(go, true);
      message.hidden = true;
      try {
        await act();
        isDone = true;
        dialog.close();
      } catch (error) {
        message.textContent = sentenceOf(error);
        message.hidden = false;
      } finally {
        setBusy(go, false);
      }
    };
    const cancel = h('button', { class: 'button', type: 'button' }, say('do.cancel'));
    const dialog = h(
      'dialog',
      { class: 'dialog', 'aria-labelledby': 'dialog-title' },
      h(
        'form',
        { class: 'stack', onsubmit: submit },
        h('h2', { id: 'dialog-title' }, title),
        body,
        field === null ? null : field.element,
        message,
        h('div', { class: 'row dialog-row' }, go, cancel),
      ),
    );
    cancel.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      dialog.remove();
      bringBack();
      resolve(isDone);
    });
    document.body.append(dialog);
    dialog.showModal();
    (field === null ? cancel : field.input).focus();
  });
}

/**
 * @param {string} typed
 * @param {HTMLButtonElement} go
 */
function typedField(typed, go) {
  const input = h('input', {
    id: 'dialog-typed',
    type: 'text',
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    oninput: () => {
      go.disabled = !isTyped(input, typed);
    },
  });
  go.disabled = true;
  const label = h('label', { for: 'dialog-typed' }, rich(say('do.type-to-confirm', { word: typed })));
  return { input, element: h('div', { class: 'field' }, label, input) };
}

/**
 * @param {HTMLInputElement} input
 * @param {string} typed
 */
function isTyped(input, typed) {
  return input.value.trim().toLowerCase() === typed;
}

/**
 * Shows that a button's work is in progress. It stays focusable so that the keyboard focus is not lost.
 *
 * @param {HTMLElement} button
 * @param {boolean} isBusy
 */
export function setBusy(button, isBusy) {
  if (isBusy) button.setAttribute('aria-disabled', 'true');
  else button.removeAttribute('aria-disabled');
  button.classList.toggle('busy', isBusy);
}

/**
 * Returns true while a button's work is in progress; further presses do nothing.
 *
 * @param {Element} button
 */
export function isBusy(button) {
  return button.getAttribute('aria-disabled') === 'true';
}
