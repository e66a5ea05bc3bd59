import { addForm, emptyLine } from './add-form.js';
import { call } from './api.js';
import { APPLE_PROFILE, appleProfile } from './apple-profile.js';
import { actionButton } from './button.js';
import { card, pairs } from './card.js';
import { ask } from './dialog.js';
import { h, rich } from './dom.js';
import { icon } from './icons.js';
import { tell } from './notice.js';
import { saveFile } from './save-file.js';
import { dateWords, say } from './say.js';

/** @typedef {import('./app').App} App */
/** @typedef {import('./types').PrivateName} PrivateName */

/** Where a name is entered. */
const PLACES = /** @type {const} */ (['private.android', 'private.apple', 'private.browsers']);

/**
 * Shows the account's private names.
 *
 * @param {App} app
 */
export function privateNamesCard(app) {
  const { privateNames } = app.page;
  return card(
    'private-names',
    say('private.title'),
    say('private.lead'),
    app.newName === null ? null : newName(app, app.newName),
    privateNames.length === 0
      ? emptyLine('link', say('private.none'))
      : h(
          'ul',
          { class: 'rows' },
          privateNames.map((one) => row(app, one)),
        ),
    addForm({
      id: 'private-name-label',
      label: say('private.label'),
      placeholder: say('private.example'),
      button: say('private.make'),
      inputmode: 'text',
      maxlength: '64',
      add: async (label) => {
        app.newName = await call('POST', '/v1/private-names', { label });
        await show(app, say('private.ready'));
      },
      app,
    }),
    h(
      'details',
      { class: 'note', id: 'private-names-note' },
      h('summary', null, icon('chevron', 'onward'), say('do.good-to-know')),
      h('p', null, say('private.note-1')),
      h('p', null, say('private.note-2')),
      h('p', null, say('private.note-3')),
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
          tell(say('private.profile-saved'));
        },
      },
      icon('download'),
      h('span', null, say('private.profile', { protocol })),
    );
  return h(
    'div',
    { class: 'fresh', id: 'new-name', tabindex: '-1', role: 'group', 'aria-label': say('private.new') },
    h('p', { class: 'fresh-title' }, say('private.for', { name: made.label })),
    h('p', null, say('do.shown-once')),
    pairs([
      [say('private.dot'), made.dot],
      [say('private.doh'), made.doh],
    ]),
    h('div', { class: 'row' }, profile('HTTPS'), profile('TLS')),
    h(
      'ul',
      { class: 'bullets' },
      PLACES.map((place) => h('li', null, rich(say(place)))),
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
      say('do.have-it'),
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
      title: say('private.renew', { name: label }),
      body: [h('p', null, say('private.renew-text'))],
      yes: say('private.renew-yes'),
      act: async () => {
        app.newName = await call('POST', `${path}/token`, {});
        await show(app, say('private.ready'));
      },
    });
  const remove = () =>
    ask({
      title: say('private.remove', { name: label }),
      body: [h('p', null, say('private.remove-text'))],
      yes: say('do.remove'),
      isGrave: true,
      act: async () => {
        await call('DELETE', path);
        forget();
        await app.reload(say('do.removed', { name: label }));
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
        h('span', null, addresses.length === 0 ? say('private.unused') : addresses.join(', ')),
        h('span', null, say('do.made-on', { date: dateWords(createdAt) })),
      ),
    ),
    h(
      'label',
      { class: 'switch' },
      h('input', {
        type: 'checkbox',
        role: 'switch',
        id: `home-only-${id}`,
        'aria-label': say('private.home-only-name', { name: label }),
        checked: homeOnly,
        onchange: (/** @type {Event} */ event) => {
          const on = /** @type {HTMLInputElement} */ (event.target).checked;
          app.change(
            () => call('PATCH', path, { homeOnly: on }),
            say(on ? 'private.stays' : 'private.moves', { name: label }),
          );
        },
      }),
      h('span', { class: 'switch-track', 'aria-hidden': 'true' }),
      h('span', { class: 'switch-text' }, h('span', null, say('private.home-only'))),
    ),
    h(
      'div',
      { class: 'row' },
      actionButton({
        label: say('do.renew'),
        icon: 'refresh',
        kind: 'small quiet',
        id: `renew-${id}`,
        name: say('do.renew-name', { name: label }),
        act: renew,
      }),
      actionButton({
        label: say('do.remove'),
        icon: 'bin',
        kind: 'small quiet',
        id: `remove-${id}`,
        name: say('do.remove-name', { name: label }),
        act: remove,
      }),
    ),
  );
}
