import { addForm, emptyLine } from './add-form.js';
import { call } from './api.js';
import { APPLE_PROFILE, appleProfile } from './apple-profile.js';
import { actionButton, rich } from './button.js';
import { card, pairs } from './card.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { tell } from './notice.js';
import { saveFile } from './save-file.js';
import { dateWords } from './words.js';

/** @typedef {import('./app').App} App */
/** @typedef {import('./types').PrivateName} PrivateName */

/** Where a name is entered. */
const PLACES = [
  '**Android TV, Google TV, Android phones**: **Settings**, **Network & internet**, **Private DNS**, **Private DNS provider hostname**. Enter the Private DNS name.',
  '**iPhone, iPad, Mac**: open the Apple profile on the device, then **Settings**, **Profile downloaded**, **Install**. It says “not signed”; that is as it should be.',
  '**Chrome, Edge, Firefox, Windows**: enter the HTTPS address where “secure DNS” asks for a provider or a template.',
];

/**
 * Shows the account's private names.
 *
 * @param {App} app
 */
export function privateNamesCard(app) {
  const { privateNames } = app.page;
  return card(
    'private-names',
    'Private names',
    'A device with a private name registers its home by itself, whatever address your provider gives you. For Android TV, phones and computers.',
    app.newName === null ? null : newName(app, app.newName),
    privateNames.length === 0
      ? emptyLine('link', 'No private name yet. Make one for a device, or one for all devices of a home.')
      : h(
          'ul',
          { class: 'rows' },
          privateNames.map((one) => row(app, one)),
        ),
    addForm({
      id: 'private-name-label',
      label: 'Which device or home is it for?',
      placeholder: 'Living room TV',
      button: 'Make a private name',
      inputmode: 'text',
      maxlength: '64',
      add: async (label) => {
        app.newName = await call('POST', '/v1/private-names', { label });
        await show(app, 'The private name is ready. Copy it now: it is shown this once.');
      },
      app,
    }),
    h(
      'details',
      { class: 'note', id: 'private-names-note' },
      h('summary', null, icon('chevron'), 'Good to know'),
      h(
        'p',
        null,
        'A private name is not secret: networks that the device uses can see it. Who knows it can move the address that it registered, and nothing else. Renew it then.',
      ),
      h(
        'p',
        null,
        'Streams still go by the address of your home. If your provider puts many homes behind one address (CGNAT), the name registers that shared address, and neighbours behind it could use our DNS servers as well.',
      ),
      h(
        'p',
        null,
        'With “Only at home”, a name moves after an hour at a new address, so that a phone on the road does not lock your home out. Until then its device works as if we were not there.',
      ),
    ),
  );
}

/**
 * @param {App} app
 * @param {string} words
 */
async function show(app, words) {
  await app.reload(words);
  const shown = document.getElementById('new-name');
  if (shown) shown.focus();
}

/**
 * @param {App} app
 * @param {import('./types').NewPrivateName} made
 */
function newName(app, made) {
  const profile = (/** @type {'HTTPS' | 'TLS'} */ protocol) =>
    h(
      'button',
      {
        type: 'button',
        class: 'button small',
        onclick: () => {
          saveFile('dns.mobileconfig', appleProfile(made, protocol), APPLE_PROFILE);
          tell('The profile is in the file dns.mobileconfig.');
        },
      },
      icon('download'),
      h('span', null, `Apple profile (${protocol})`),
    );
  return h(
    'div',
    { class: 'fresh', id: 'new-name', tabindex: '-1', role: 'group', 'aria-label': 'The new private name' },
    h('p', { class: 'fresh-title' }, `Private name for ${made.label}`),
    h('p', null, 'Copy it now. It is shown this once.'),
    pairs([
      ['Private DNS name', made.dot],
      ['HTTPS address', made.doh],
    ]),
    h('div', { class: 'row' }, profile('HTTPS'), profile('TLS')),
    h(
      'ul',
      { class: 'bullets' },
      PLACES.map((place) => h('li', null, rich(place))),
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'button small',
        onclick: () => {
          app.newName = null;
          app.render();
        },
      },
      'I have it',
    ),
  );
}

/**
 * @param {App} app
 * @param {PrivateName} name
 */
function row(app, { id, label, homeOnly, createdAt, addresses }) {
  const path = `/v1/private-names/${encodeURIComponent(id)}`;
  const forget = () => {
    if (app.newName !== null && app.newName.id === id) app.newName = null;
  };
  const renew = () =>
    ask({
      title: `Renew “${label}”?`,
      body: [h('p', null, 'The present name stops working. Enter the new one on its devices.')],
      yes: 'Renew',
      act: async () => {
        app.newName = await call('POST', `${path}/token`, {});
        await show(app, 'The new private name is ready. Copy it now: it is shown this once.');
      },
    });
  const remove = () =>
    ask({
      title: `Remove “${label}”?`,
      body: [
        h(
          'p',
          null,
          'Its devices get no answers from us any longer, and the address that it registered ends.',
        ),
      ],
      yes: 'Remove',
      isGrave: true,
      act: async () => {
        await call('DELETE', path);
        forget();
        await app.reload(`${label} was removed.`);
      },
    });
  return h(
    'li',
    { class: 'item wrap' },
    h(
      'div',
      { class: 'item-main' },
      h('p', { class: 'item-title' }, label),
      h(
        'p',
        { class: 'item-detail' },
        h('span', null, addresses.length === 0 ? 'Not used yet' : addresses.join(', ')),
        h('span', null, `Made on ${dateWords(createdAt)}`),
      ),
    ),
    h(
      'label',
      { class: 'switch' },
      h('input', {
        type: 'checkbox',
        role: 'switch',
        id: `home-only-${id}`,
        'aria-label': `Only at home: ${label}`,
        checked: homeOnly,
        onchange: (/** @type {Event} */ event) => {
          const on = /** @type {HTMLInputElement} */ (event.target).checked;
          app.change(
            () => call('PATCH', path, { homeOnly: on }),
            on ? `${label} stays at home.` : `${label} moves with its device.`,
          );
        },
      }),
      h('span', { class: 'switch-track', 'aria-hidden': 'true' }),
      h('span', { class: 'switch-text' }, h('span', null, 'Only at home')),
    ),
    h(
      'div',
      { class: 'row' },
      actionButton({
        label: 'Renew…',
        icon: 'refresh',
        kind: 'small quiet',
        id: `renew-${id}`,
        name: `Renew ${label}`,
        act: renew,
      }),
      actionButton({
        label: 'Remove',
        icon: 'bin',
        kind: 'small quiet',
        id: `remove-${id}`,
        name: `Remove ${label}`,
        act: remove,
      }),
    ),
  );
}
