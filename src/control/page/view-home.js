import { actionButton } from './button.js';
import { ask } from './dialog.js';
import { dnsCard } from './dns-card.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { isRemembered, remember } from './memory.js';
import { callout } from './notice.js';
import { registrationsCard } from './registrations-card.js';
import { testCard } from './test-card.js';
import { counted, dateWords, daysUntil } from './words.js';

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
    h('h1', { class: 'offscreen' }, 'Home'),
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
    shown.push(
      callout(
        'bad',
        'Your account is paused',
        h(
          'p',
          null,
          'Your addresses are kept, but they are not served. Please ask your provider; nothing here is lost.',
        ),
      ),
    );
  }
  for (const one of registrations.filter((other) => other.id !== caller.registrationId)) {
    if (daysUntil(one.expiresAt, nowMs()) >= WARN_DAYS) continue;
    const text = `It ends on ${dateWords(one.expiresAt)}. Open this page there once, and it is good for the full time again.`;
    shown.push(callout('warn', `${one.label || one.address} is about to end`, h('p', null, text)));
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
      h('p', { class: 'eyebrow' }, name === null ? 'This network' : `This network: ${name}`),
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
      h('p', { class: 'eyebrow' }, 'This network'),
      h('h2', { id: 'network-title' }, 'Looking at your network…'),
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
  if (missing.length === 0)
    return page.account.suspended ? 'This network is on hold' : 'This network is ready';
  return missing.length < present.length ? 'One more step for this network' : 'Register this network';
}

/**
 * @param {AddressPath[]} missing
 * @param {AddressPath[]} present
 * @param {App} app
 */
function explanation(missing, present, { page }) {
  if (missing.length === 0 && page.account.suspended) {
    return 'It is registered, and works again as soon as your account does.';
  }
  if (missing.length === 0) {
    return 'Every device at home that uses our DNS servers can watch now. Opening this page here keeps it so.';
  }
  if (missing.length < present.length) {
    return `Your home also uses IPv${missing[0].family}, and that address is not registered yet. Devices may use either, so register both.`;
  }
  return 'One press lets every device at home use our DNS servers. Do it again when your address changes, or let your router do it.';
}

/** @param {App} app */
function registerButton(app) {
  return actionButton({
    id: 'register',
    label: 'Register this network',
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
  const all = counted(account.perAccount, 'network', 'networks');
  const gives =
    oldest === undefined
      ? 'The one that was used longest ago gives way.'
      : `${oldest.label ? `${oldest.label} (${oldest.address})` : oldest.address} was used longest ago and gives way.`;
  return ask({
    title: 'Replace the oldest network?',
    body: [h('p', null, `Your account holds ${all}, and all are taken. ${gives} It stops working at once.`)],
    yes: 'Replace the oldest',
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
    h('label', { for: 'network-label', class: 'offscreen' }, 'Name of this network'),
    h('input', {
      id: 'network-label',
      'data-fresh': true,
      maxlength: '64',
      placeholder: 'Home',
      value: app.naming === null ? label || '' : app.naming,
    }),
    h('button', { class: 'button', type: 'submit' }, 'Save'),
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
    h('span', null, label === null ? 'Give it a name' : 'Rename'),
  );
  return h('div', null, open, form);
}

/** @param {AddressPath[]} paths */
function pathList(paths) {
  return h(
    'ul',
    { class: 'paths', 'aria-label': 'What we found' },
    paths.map((path) => {
      const isIn = path.registration !== null;
      const words = path.address === null ? 'Not in use here' : isIn ? 'Registered' : 'Not registered';
      return h(
        'li',
        { class: isIn ? 'way in' : path.address === null ? 'way off' : 'way' },
        h('span', { class: 'way-family' }, `IPv${path.family}`),
        h('span', { class: 'way-address' }, path.address || 'No address'),
        h('span', { class: 'way-state' }, isIn ? icon('check') : null, words),
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
      h('span', null, 'Register whenever I open this page'),
      h('small', null, 'On this browser only'),
    ),
  );
}

function sharedNote() {
  return h(
    'details',
    { class: 'note', id: 'shared-note' },
    h('summary', null, icon('chevron'), 'My provider shares addresses (CGNAT)'),
    h(
      'p',
      null,
      'Some providers put many homes behind one address (this is called CGNAT; it is usual on mobile and on some fibre lines). It works here too. The address may change more often, so switch on the line above or set up your router. Neighbours behind the same address could use our DNS servers as well; they see nothing of you. If it keeps changing, ask your provider for a public address of your own.',
    ),
  );
}

/**
 * @param {App} app
 * @param {AddressPath[]} present
 */
function blockedCard({ page }, present) {
  const isShared = page.caller.scope === 'shared';
  const text = isShared
    ? 'You reach us by an address that your provider shares among many homes and that is not valid on the internet (CGNAT). It cannot be registered. Ask the person who runs this service, or your internet provider for a public address.'
    : 'You reach us from inside the network that this server is in, so we see an address that means nothing outside. Open this page through your home’s own internet connection: switch off a VPN or proxy, and use the public address of this page.';
  return h(
    'section',
    { class: 'hero blocked', 'aria-labelledby': 'network-title' },
    h(
      'div',
      { class: 'hero-main' },
      h('p', { class: 'eyebrow' }, 'This network'),
      h('h2', { id: 'network-title' }, 'This address cannot be registered'),
      h('p', { class: 'lead' }, text),
      actionButton({ label: 'Look again', icon: 'refresh', act: () => Promise.resolve(location.reload()) }),
    ),
    h('div', { class: 'hero-side' }, pathList(present)),
  );
}
