import { addForm, emptyLine } from './add-form.js';
import { call } from './api.js';
import { card, item, pairs } from './card.js';
import { copyButton } from './copy.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { followHostname } from './network.js';
import { recipes } from './router-lines.js';
import { dateWords, hostnameWords } from './words.js';

/** @typedef {import('./app').App} App */

const PLACEHOLDER = 'YOUR-UPDATE-PASSWORD';

/**
 * Shows update passwords for routers and followed host names.
 *
 * @param {App} app
 */
export function routersView(app) {
  return h(
    'div',
    { class: 'stack' },
    h(
      'header',
      { class: 'view-head' },
      h('h1', null, 'Routers and changing addresses'),
      h(
        'p',
        { class: 'lead' },
        'Most homes get a new address now and then. Let your router report it, and you never think of it again.',
      ),
    ),
    tokensCard(app),
    recipesCard(app),
    hostnamesCard(app),
  );
}

/** @param {App} app */
function tokensCard(app) {
  const { updateTokens } = app.page;
  return card(
    'tokens',
    'Update passwords',
    'Your router signs in with one of these. It can report an address and nothing else.',
    app.newToken === null ? null : newToken(app, app.newToken),
    updateTokens.length === 0
      ? emptyLine('key', 'No update password yet. Make one for your router.')
      : h(
          'ul',
          { class: 'rows' },
          updateTokens.map((token) => tokenRow(app, token)),
        ),
    addForm({
      id: 'token-label',
      label: 'What is it for?',
      placeholder: 'Home router',
      button: 'Make an update password',
      inputmode: 'text',
      maxlength: '64',
      add: async (label) => {
        const made = await call('POST', '/v1/update-tokens', { label });
        app.newToken = made;
        await app.reload('The update password is ready. Copy it now: it is shown this once.');
        const shown = document.getElementById('new-token');
        if (shown) shown.focus();
      },
      app,
    }),
  );
}

/**
 * @param {App} app
 * @param {import('./types').NewUpdateToken} made
 */
function newToken(app, { label, token }) {
  return h(
    'div',
    {
      class: 'fresh',
      id: 'new-token',
      tabindex: '-1',
      role: 'group',
      'aria-label': 'The new update password',
    },
    h('p', { class: 'fresh-title' }, `Update password for ${label}`),
    h('p', null, 'Copy it now. It is shown this once, and is filled in below.'),
    pairs([
      ['User name', app.page.account.id],
      ['Password', token],
    ]),
    h(
      'button',
      {
        type: 'button',
        class: 'button small',
        onclick: () => {
          app.newToken = null;
          app.render();
        },
      },
      'I have it',
    ),
  );
}

/**
 * @param {App} app
 * @param {import('./types').UpdateToken} token
 */
function tokenRow(app, { id, label, createdAt }) {
  const revoke = () =>
    ask({
      title: `Revoke “${label}”?`,
      body: [
        h(
          'p',
          null,
          'The router that uses it can no longer report its address. Its registered address stays until it ends or you remove it.',
        ),
      ],
      yes: 'Revoke',
      isGrave: true,
      act: async () => {
        await call('DELETE', `/v1/update-tokens/${encodeURIComponent(id)}`);
        if (app.newToken !== null && app.newToken.id === id) app.newToken = null;
        await app.reload(`${label} was revoked.`);
      },
    });
  return item({
    title: [label],
    details: [h('span', null, `Made on ${dateWords(createdAt)}`)],
    id: `revoke-${id}`,
    button: 'Revoke',
    name: `Revoke ${label}`,
    act: revoke,
  });
}

/** @param {App} app */
function recipesCard(app) {
  const { account } = app.page;
  const password = app.newToken === null ? PLACEHOLDER : app.newToken.token;
  const list = recipes({
    host: location.host,
    isSecure: location.protocol === 'https:',
    user: account.id,
    password,
    name: nameFor(app.newToken === null ? 'home' : app.newToken.label),
  });
  return h(
    'section',
    { class: 'card flush', 'aria-labelledby': 'recipes-title' },
    h(
      'div',
      { class: 'card-pad' },
      h('h2', { id: 'recipes-title' }, 'Ready-made settings'),
      h(
        'p',
        { class: 'soft' },
        app.newToken === null
          ? `With your values filled in. Make an update password above, and it takes the place of ${PLACEHOLDER}.`
          : 'With your values and the new password filled in.',
      ),
    ),
    list.map(recipeBox),
  );
}

/** @param {import('./router-lines.js').Recipe} recipe */
function recipeBox({ id, title, where, text, note }) {
  return h(
    'details',
    { class: 'fold', id: `routers/${id}` },
    h(
      'summary',
      null,
      icon('router', 'lead-icon'),
      h('span', { class: 'fold-title' }, title),
      icon('chevron', 'fold-mark'),
    ),
    h(
      'div',
      { class: 'fold-body' },
      h('p', null, where),
      h(
        'div',
        { class: 'lines' },
        h('pre', { tabindex: '0', 'aria-label': `Settings for ${title}` }, h('code', null, text)),
        copyButton(text, `the settings for ${title}`),
      ),
      note === null ? null : h('p', { class: 'aside' }, note),
    ),
  );
}

/**
 * Builds the host name that a router reports; it becomes the label of the registration.
 *
 * @param {string} label
 */
function nameFor(label) {
  const plain = label
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  const first =
    plain
      .replace(/^-+|-+$/g, '')
      .slice(0, 32)
      .replace(/-+$/, '') || 'home';
  const isName = /[a-z]/.test(location.hostname) && location.hostname.includes('.');
  const host = isName ? location.hostname : 'example.net';
  // RFC 1035: a name has at most 253 characters.
  return first.length + host.length + 1 <= 253 ? `${first}.${host}` : `${first}.example.net`;
}

/** @param {App} app */
function hostnamesCard(app) {
  const { hostnames } = app.page;
  return card(
    'hostnames',
    'Follow a host name',
    'Do you already have a dynamic DNS name, such as myhome.asuscomm.com or myhome.myfritz.net? Enter it while you are at home, and we register the address it leads to whenever that changes.',
    hostnames.length === 0
      ? emptyLine('link', 'No host name is followed.')
      : h(
          'ul',
          { class: 'rows' },
          hostnames.map((one) => hostnameRow(app, one)),
        ),
    addForm({
      id: 'hostname',
      label: 'Host name',
      placeholder: 'myhome.example.com',
      button: 'Follow',
      inputmode: 'url',
      maxlength: '253',
      add: async (hostname) => {
        await followHostname(app, hostname);
      },
      app,
    }),
  );
}

/**
 * @param {App} app
 * @param {import('./types').Hostname} hostname
 */
function hostnameRow(app, { id, hostname, state }) {
  const held = app.page.registrations.filter((one) => one.source === 'hostname' && one.label === hostname);
  const words =
    held.length === 0 ? hostnameWords(state) : `Leads to ${held.map((one) => one.address).join(', ')}`;
  const remove = () =>
    ask({
      title: 'Stop following?',
      body: [h('p', null, `${hostname} is no longer looked up, and the address that it led to ends.`)],
      yes: 'Stop following',
      isGrave: true,
      act: async () => {
        await call('DELETE', `/v1/hostnames/${encodeURIComponent(id)}`);
        await app.reload(`${hostname} is no longer followed.`);
      },
    });
  return item({
    title: [h('span', { class: 'address' }, hostname)],
    details: [h('span', null, words)],
    id: `stop-${id}`,
    button: 'Stop',
    name: `Stop following ${hostname}`,
    act: remove,
  });
}
