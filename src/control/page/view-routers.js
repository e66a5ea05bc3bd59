import { addForm, emptyLine } from './add-form.js';
import { call } from './api.js';
import { card, item, pairs } from './card.js';
import { copyButton } from './copy.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { followHostname } from './network.js';
import { recipes } from './router-lines.js';
import { dateWords, say } from './say.js';
import { hostnameWords } from './words.js';

/** @typedef {import('./app').App} App */

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
      h('h1', null, say('routers.title')),
      h('p', { class: 'lead' }, say('routers.lead')),
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
    say('tokens.title'),
    say('tokens.lead'),
    app.newToken === null ? null : newToken(app, app.newToken),
    updateTokens.length === 0
      ? emptyLine('key', say('tokens.none'))
      : h(
          'ul',
          { class: 'rows' },
          updateTokens.map((token) => tokenRow(app, token)),
        ),
    addForm({
      id: 'token-label',
      label: say('tokens.label'),
      placeholder: say('tokens.example'),
      button: say('tokens.make'),
      inputmode: 'text',
      maxlength: '64',
      add: async (label) => {
        const made = await call('POST', '/v1/update-tokens', { label });
        app.newToken = made;
        await app.reload(say('tokens.ready'));
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
      'aria-label': say('tokens.new'),
    },
    h('p', { class: 'fresh-title' }, say('tokens.for', { name: label })),
    h('p', null, say('tokens.for-text')),
    pairs([
      [say('tokens.user'), app.page.account.id],
      [say('tokens.password'), token],
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
      say('do.have-it'),
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
      title: say('tokens.revoke-ask', { name: label }),
      body: [h('p', null, say('tokens.revoke-text'))],
      yes: say('tokens.revoke'),
      isGrave: true,
      act: async () => {
        await call('DELETE', `/v1/update-tokens/${encodeURIComponent(id)}`);
        if (app.newToken !== null && app.newToken.id === id) app.newToken = null;
        await app.reload(say('tokens.revoked', { name: label }));
      },
    });
  return item({
    title: [label],
    details: [h('span', null, say('do.made-on', { date: dateWords(createdAt) }))],
    id: `revoke-${id}`,
    button: say('tokens.revoke'),
    name: say('tokens.revoke-name', { name: label }),
    act: revoke,
  });
}

/** @param {App} app */
function recipesCard(app) {
  const { account } = app.page;
  const password = app.newToken === null ? say('recipes.placeholder') : app.newToken.token;
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
      h('h2', { id: 'recipes-title' }, say('recipes.title')),
      h(
        'p',
        { class: 'soft' },
        app.newToken === null
          ? say('recipes.lead', { placeholder: say('recipes.placeholder') })
          : say('recipes.lead-filled'),
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
      icon('chevron', 'onward fold-mark'),
    ),
    h(
      'div',
      { class: 'fold-body' },
      h('p', null, where),
      h(
        'div',
        { class: 'lines' },
        h(
          'pre',
          { tabindex: '0', 'aria-label': say('recipes.settings-for', { name: title }) },
          h('code', null, text),
        ),
        copyButton(text, say('recipes.settings-for', { name: title })),
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
    say('hostnames.title'),
    say('hostnames.lead'),
    hostnames.length === 0
      ? emptyLine('link', say('hostnames.none'))
      : h(
          'ul',
          { class: 'rows' },
          hostnames.map((one) => hostnameRow(app, one)),
        ),
    addForm({
      id: 'hostname',
      label: say('hostnames.label'),
      placeholder: 'myhome.example.com',
      button: say('hostnames.add'),
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
    held.length === 0
      ? hostnameWords(state)
      : say('hostnames.leads-to', { addresses: held.map((one) => one.address).join(', ') });
  const remove = () =>
    ask({
      title: say('hostnames.stop-ask'),
      body: [h('p', null, say('hostnames.stop-text', { name: hostname }))],
      yes: say('hostnames.stop-yes'),
      isGrave: true,
      act: async () => {
        await call('DELETE', `/v1/hostnames/${encodeURIComponent(id)}`);
        await app.reload(say('hostnames.stopped', { name: hostname }));
      },
    });
  return item({
    title: [h('span', { class: 'address' }, hostname)],
    details: [h('span', null, words)],
    id: `stop-${id}`,
    button: say('hostnames.stop'),
    name: say('hostnames.stop-name', { name: hostname }),
    act: remove,
  });
}
