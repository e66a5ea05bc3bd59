import { call } from './api.js';
import { card, item } from './card.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { dateWords, daysUntil, leaseWords, sourceWords } from './words.js';

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
    'Registered addresses',
    null,
    registrations.length === 0
      ? empty()
      : h(
          'ul',
          { class: 'rows' },
          registrations.map((one) => row(app, one)),
        ),
    isFull
      ? h(
          'p',
          { class: 'soft' },
          'All places are taken. A new network takes the place of the one that was used longest ago, if you say so.',
        )
      : null,
  );
  const count = `${registrations.length} of ${account.perAccount}`;
  box.prepend(h('span', { class: isFull ? 'tag corner full' : 'tag corner' }, count));
  return box;
}

function empty() {
  return h(
    'div',
    { class: 'empty' },
    icon('home', 'large'),
    h('p', { class: 'empty-title' }, 'No address yet'),
    h('p', null, 'Register the network you are on, and it appears here.'),
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
      isHere ? h('span', { class: 'tag here' }, 'This network') : null,
    ],
    details: [
      label ? h('span', { class: 'address' }, address) : null,
      h('span', null, sourceWords(source)),
      evidence === 'told'
        ? h('span', { class: 'soon' }, 'Not confirmed yet: use it or open this page there')
        : null,
      h(
        'time',
        { datetime: expiresAt, title: dateWords(expiresAt), class: isSoon ? 'soon' : '' },
        leaseWords(expiresAt, app.nowMs()),
      ),
    ],
    id: `remove-${id}`,
    button: 'Remove',
    name: `Remove ${label || address}`,
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
    ? `${name} is the network you are on. Its devices stop working at once. You can register it again here.`
    : `${name} stops working at once. To have it back, open this page on that network.`;
  return ask({
    title: 'Remove this address?',
    body: [h('p', null, text)],
    yes: 'Remove',
    isGrave: true,
    act: async () => {
      await call('DELETE', `/v1/registrations/${encodeURIComponent(id)}`);
      await app.reload(`${label || address} was removed.`);
    },
  });
}
