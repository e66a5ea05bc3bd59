import { call } from './api.js';
import { card, item } from './card.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { dateWords, say } from './say.js';
import { daysUntil, leaseWords, sourceWords } from './words.js';

/** @typedef {import('./app').App} App */
/** @typedef {import('./types').Registration} Registration */

/**
 * Shows all registered addresses.
 *
 * @param {App} app
 */
export function registrationsCard(app) {
  const { registrations, account } = app.page;
  const isFull = registrations.length >= account.perAccount;
  const box = card(
    'registrations',
    say('registrations.title'),
    null,
    registrations.length === 0
      ? empty()
      : h(
          'ul',
          { class: 'rows' },
          registrations.map((one) => row(app, one)),
        ),
    isFull ? h('p', { class: 'soft' }, say('registrations.full')) : null,
  );
  const count = say('registrations.count', { count: registrations.length, limit: account.perAccount });
  const title = /** @type {HTMLElement} */ (box.querySelector('h2'));
  box.prepend(
    h('div', { class: 'card-head' }, title, h('span', { class: isFull ? 'tag full' : 'tag' }, count)),
  );
  return box;
}

function empty() {
  return h(
    'div',
    { class: 'empty' },
    icon('home', 'large'),
    h('p', { class: 'empty-title' }, say('registrations.none')),
    h('p', null, say('registrations.none-text')),
  );
}

/**
 * @param {App} app
 * @param {Registration} registration
 */
function row(app, registration) {
  const { id, address, label, source, evidence, expiresAt } = registration;
  const isHere = isOfThisNetwork(app, registration);
  const isSoon = daysUntil(expiresAt, app.nowMs()) < 7;
  return item({
    title: [
      h('span', { class: label ? '' : 'address' }, label || address),
      isHere ? h('span', { class: 'tag here' }, say('registrations.here')) : null,
    ],
    details: [
      label ? h('span', { class: 'address' }, address) : null,
      h('span', null, sourceWords(source)),
      evidence === 'told' ? h('span', { class: 'soon' }, say('registrations.told')) : null,
      h(
        'time',
        { datetime: expiresAt, title: dateWords(expiresAt), class: isSoon ? 'soon' : '' },
        leaseWords(expiresAt, app.nowMs()),
      ),
    ],
    id: `remove-${id}`,
    button: say('do.remove'),
    name: say('do.remove-name', { name: label || address }),
    act: () => askToRemove(app, registration, isHere),
  });
}

/**
 * @param {App} app
 * @param {Registration} registration
 */
function isOfThisNetwork({ paths, page }, { id }) {
  if (page.caller.registrationId === id) return true;
  return (paths || []).some((path) => path.registration !== null && path.registration.id === id);
}

/**
 * @param {App} app
 * @param {Registration} registration
 * @param {boolean} isHere
 */
function askToRemove(app, { id, address, label }, isHere) {
  const name = label ? `${label} (${address})` : address;
  const text = isHere
    ? say('registrations.remove-here', { name })
    : say('registrations.remove-other', { name });
  return ask({
    title: say('registrations.remove'),
    body: [h('p', null, text)],
    yes: say('do.remove'),
    isGrave: true,
    act: async () => {
      await call('DELETE', `/v1/registrations/${encodeURIComponent(id)}`);
      await app.reload(say('do.removed', { name: label || address }));
    },
  });
}
