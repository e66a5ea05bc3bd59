import { isBusy, setBusy } from './dialog.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { tellError } from './notice.js';

/**
 * Creates a button for work that takes a while: it shows progress, ignores further presses, and reports a failure.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {import('./icons.js').IconName} [options.icon]
 * @param {string} [options.kind] further classes
 * @param {string} [options.id] so that the focus finds it again when the view is made anew
 * @param {string} [options.name] what it is called where the label alone would not say it
 * @param {() => Promise<unknown>} options.act
 */
export function actionButton({ label, icon: name, kind, id, name: spoken, act }) {
  return h(
    'button',
    {
      type: 'button',
      class: `button ${kind || ''}`,
      id,
      'aria-label': spoken,
      onclick: async (/** @type {Event} */ event) => {
        const button = /** @type {HTMLElement} */ (event.currentTarget);
        if (isBusy(button)) return;
        setBusy(button, true);
        try {
          await act();
        } catch (error) {
          tellError(error);
        } finally {
          setBusy(button, false);
        }
      },
    },
    name === undefined ? null : icon(name),
    h('span', null, label),
  );
}
