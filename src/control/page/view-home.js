import { actionButton } from './button.js';
import { ask } from './dialog.js';
import { dnsCard } from './dns-card.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { isRemembered, remember } from './memory.js';
import { callout } from './notice.js';
import { registrationsCard } from './registrations-card.js';
import { dateWords, say } from './say.js';
import { testCard } from './test-card.js';
import { daysUntil } from './words.js';

/** @typedef {import('./app').App} App */
/** @typedef {import('./types').AddressPath} AddressPath */

const WARN_DAYS = 7;

/**
 * Shows this network, the DNS addresses, the self-test and all registered addresses.
 *
 * @param {App} app
 */
export function homeView(app) {
  return h(
    'div',
    { class: 'stack wide' },
    h('h1', { class: 'offscreen' }, say('home.title')),
    warnings(app),
    networkCard(app),
    h(
      'div',
      { class: app.test !== null && app.test.verdict !== null ? 'pair loose' : 'pair' },
      dnsCard(app, true),
      testCard(app),
    ),
    registrationsCard(app),
  );
}

/** @param {App} app */
function warnings({ page, nowMs }) {
  const { account, registrations, caller } = page;
  const shown = [];
  if (account.suspended) {
    shown.push(callout('bad', say('home.paused'), h('p', null, say('home.paused-text'))));
  }
  for (const one of registrations.filter((other) => other.id !== caller.registrationId)) {
    if (daysUntil(one.expiresAt, nowMs()) >= WARN_DAYS) continue;
    const title = say('home.ends', { name: one.label || one.address });
    const text = say('home.ends-text', { date: dateWords(one.expiresAt) });
    shown.push(callout('warn', title, h('p', null, text)));
  }
  return shown;
}

/** @param {App} app */
function networkCard(app) {
  const { paths } = app;
  if (paths === null) return loadingCard();
  const present = paths.filter((path) => path.address !== null);
  const missing = present.filter((path) => path.registration === null);
  const isBlocked = missing.length > 0 && !app.page.caller.registrable && missing.length === present.length;
  if (isBlocked) return blockedCard(app, present);
  const isReady = missing.length === 0 && !app.page.account.suspended;
  const name = nameOf(present);
  return h(
    'section',
    { class: isReady ? 'hero ready' : 'hero', 'aria-labelledby': 'network-title' },
    h(
      'div',
      { class: 'hero-main' },
      h('p', { class: 'eyebrow' }, name === null ? say('home.network') : say('home.network-named', { name })),
      h('h2', { id: 'network-title' }, heading(missing, present, app)),
      h('p', { class: 'lead' }, explanation(missing, present, app)),
      missing.length === 0 ? rename(app, name) : registerButton(app),
    ),
    h('div', { class: 'hero-side' }, pathList(paths), autoSwitch(app), sharedNote()),
  );
}

function loadingCard() {
  return h(
    'section',
    { class: 'hero', 'aria-busy': 'true', 'aria-labelledby': 'network-title' },
    h(
      'div',
      { class: 'hero-main' },
      h('p', { class: 'eyebrow' }, say('home.network')),
      h('h2', { id: 'network-title' }, say('home.looking')),
      h('p', { class: 'bone long' }),
      h('p', { class: 'bone' }),
    ),
  );
}

/**
 * @param {AddressPath[]} missing
 * @param {AddressPath[]} present
 * @param {App} app
 */
function heading(missing, present, { page }) {
  if (missing.length === 0) return say(page.account.suspended ? 'home.on-hold' : 'home.ready');
  return say(missing.length < present.length ? 'home.one-more' : 'home.new');
}

/**
 * @param {AddressPath[]} missing
 * @param {AddressPath[]} present
 * @param {App} app
 */
function explanation(missing, present, { page }) {
  if (missing.length === 0 && page.account.suspended) {
    return say('home.on-hold-text');
  }
  if (missing.length === 0) {
    return say('home.ready-text');
  }
  if (missing.length < present.length) {
    return say('home.one-more-text', { family: missing[0].family });
  }
  return say('home.new-text');
}

/** @param {App} app */
function registerButton(app) {
  return actionButton({
    id: 'register',
    label: say('home.register'),
    kind: 'primary huge',
    act: () => register(app),
  });
}

/** @param {App} app */
async function register(app) {
  const outcome = await app.register({});
  if (outcome === 'full') await askToReplace(app);
}

/**
 * Asks whether the address renewed longest ago may be replaced, because the limit is reached.
 *
 * @param {App} app
 */
export function askToReplace(app) {
  const { registrations, account } = app.page;
  const [oldest] = [...registrations].sort((a, b) => a.expiresAt.localeCompare(b.expiresAt));
  const { label, address } = oldest || { label: null, address: '' };
  const name = label ? `${label} (${address})` : address;
  return ask({
    title: say('home.replace'),
    body: [h('p', null, say('home.replace-text', { count: account.perAccount, name }))],
    yes: say('home.replace-yes'),
    act: () => app.register({ replace: 'oldest' }, true),
  });
}

/**
 * Returns the name of this network.
 *
 * @param {AddressPath[]} paths
 */
function nameOf(paths) {
  for (const { registration } of paths) {
    if (registration !== null && registration.label !== null) return registration.label;
  }
  return null;
}

/**
 * @param {App} app
 * @param {string | null} label
 */
function rename(app, label) {
  const form = h(
    'form',
    {
      class: 'inline-form',
      hidden: app.naming === null,
      oninput: () => {
        app.naming = input.value;
      },
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        const text = input.value.trim();
        if (text === '') {
          input.focus();
          return;
        }
        app.naming = null;
        await app.attempt(() => app.register({ label: text }, true));
      },
    },
    h('label', { for: 'network-label', class: 'offscreen' }, say('home.name-label')),
    h('input', {
      id: 'network-label',
      'data-fresh': true,
      maxlength: '64',
      placeholder: say('home.name-example'),
      value: app.naming === null ? label || '' : app.naming,
    }),
    h('button', { class: 'button', type: 'submit' }, say('do.save')),
  );
  const input = /** @type {HTMLInputElement} */ (form.querySelector('input'));
  const open = h(
    'button',
    {
      type: 'button',
      class: 'button quiet',
      id: 'rename',
      hidden: app.naming !== null,
      onclick: () => {
        app.naming = input.value;
        form.hidden = false;
        open.hidden = true;
        input.focus();
      },
    },
    icon('pencil'),
    h('span', null, say(label === null ? 'home.name-it' : 'do.rename')),
  );
  return h('div', null, open, form);
}

/** @param {AddressPath[]} paths */
function pathList(paths) {
  return h(
    'ul',
    { class: 'paths', 'aria-label': say('home.found') },
    paths.map((path) => {
      const isIn = path.registration !== null;
      const state = isIn ? 'home.family-in' : 'home.family-out';
      return h(
        'li',
        { class: isIn ? 'way in' : path.address === null ? 'way off' : 'way' },
        h('span', { class: 'way-family' }, `IPv${path.family}`),
        h('span', { class: 'way-address' }, path.address || say('home.no-address')),
        h(
          'span',
          { class: 'way-state' },
          isIn ? icon('check') : null,
          say(path.address === null ? 'home.family-unused' : state),
        ),
      );
    }),
  );
}

/** @param {App} app */
function autoSwitch(app) {
  return h(
    'label',
    { class: 'switch' },
    h('input', {
      type: 'checkbox',
      role: 'switch',
      id: 'auto-register',
      checked: isRemembered('autoRegister'),
      onchange: (/** @type {Event} */ event) => {
        const on = /** @type {HTMLInputElement} */ (event.target).checked;
        remember('autoRegister', on);
        if (on) app.registerQuietly();
      },
    }),
    h('span', { class: 'switch-track', 'aria-hidden': 'true' }),
    h(
      'span',
      { class: 'switch-text' },
      h('span', null, say('home.auto')),
      h('small', null, say('home.auto-here')),
    ),
  );
}

function sharedNote() {
  return h(
    'details',
    { class: 'note', id: 'shared-note' },
    h('summary', null, icon('chevron', 'onward'), say('home.cgnat')),
    h('p', null, say('home.cgnat-text')),
  );
}

/**
 * @param {App} app
 * @param {AddressPath[]} present
 */
function blockedCard({ page }, present) {
  const isShared = page.caller.scope === 'shared';
  const text = say(isShared ? 'home.blocked-shared' : 'home.blocked-private');
  return h(
    'section',
    { class: 'hero blocked', 'aria-labelledby': 'network-title' },
    h(
      'div',
      { class: 'hero-main' },
      h('p', { class: 'eyebrow' }, say('home.network')),
      h('h2', { id: 'network-title' }, say('home.blocked')),
      h('p', { class: 'lead' }, text),
      actionButton({
        label: say('home.look-again'),
        icon: 'refresh',
        act: () => Promise.resolve(location.reload()),
      }),
    ),
    h('div', { class: 'hero-side' }, pathList(present)),
  );
}
