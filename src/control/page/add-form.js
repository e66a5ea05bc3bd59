import { actionButton } from './button.js';
import { h, showError } from './dom.js';
import { icon } from './icons.js';
import { say } from './say.js';

/**
 * Says that a list is empty.
 *
 * @param {import('./icons.js').IconName} name
 * @param {string} text
 */
export function emptyLine(name, text) {
  return h('p', { class: 'empty-line' }, icon(name), h('span', null, text));
}

/**
 * Creates a text field with a button that submits it.
 *
 * @param {object} options
 * @param {string} options.id
 * @param {string} options.label
 * @param {string} options.placeholder
 * @param {string} options.button
 * @param {string} options.inputmode
 * @param {string} options.maxlength
 * @param {(text: string) => Promise<void>} options.add
 * @param {import('./app').App} options.app
 */
export function addForm({ id, label, placeholder, button, inputmode, maxlength, add, app }) {
  const input = h('input', {
    id,
    type: 'text',
    inputmode,
    maxlength,
    placeholder,
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
  });
  const message = h('p', { class: 'error-text', id: `${id}-error`, role: 'alert', hidden: true });
  input.setAttribute('aria-describedby', message.id);
  const submit = actionButton({
    label: button,
    act: async () => {
      const text = input.value.trim();
      message.hidden = true;
      if (text === '') {
        showError(message.id, say('do.fill-in'));
        input.focus();
        return;
      }
      input.value = '';
      try {
        await add(text);
      } catch (error) {
        // The view may have been rendered again meanwhile.
        const field = document.getElementById(id);
        if (!(field instanceof HTMLInputElement)) throw error;
        field.value = text;
        showError(message.id, app.sentence(error, label));
        field.focus();
      }
    },
  });
  submit.type = 'submit';
  return h(
    'form',
    { class: 'add-form', onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    h('div', { class: 'field' }, h('label', { for: id }, label), input),
    submit,
    message,
  );
}
