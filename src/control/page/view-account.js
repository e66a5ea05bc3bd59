import { call } from './api.js';
import { actionButton } from './button.js';
import { card, pairs } from './card.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { goToSignIn, remember } from './memory.js';
import { tell } from './notice.js';
import { saveFile } from './save-file.js';
import { counted } from './words.js';

/** @typedef {import('./app').App} App */

/**
 * Shows the account: download data, sign out, erase.
 *
 * @param {App} app
 */
export function accountView(app) {
  const { account } = app.page;
  return h(
    'div',
    { class: 'stack' },
    h('header', { class: 'view-head' }, h('h1', null, 'My account and data')),
    card(
      'privacy',
      'What we keep',
      null,
      h(
        'p',
        null,
        'The addresses you registered, with the names you gave them; your regions; the host names you follow. We keep no record of what you watch, which names your devices ask for, or when.',
      ),
      pairs([['Account number', account.id]]),
    ),
    choice(
      'export',
      'Take it with you',
      'Everything we hold about you, as one file.',
      actionButton({ label: 'Download my data', icon: 'download', act: download }),
    ),
    choice(
      'secret',
      'New account secret',
      'If somebody else may know your secret, replace it.',
      actionButton({
        label: 'Replace…',
        icon: 'key',
        name: 'Replace my secret',
        act: () => replaceSecret(app),
      }),
    ),
    choice(
      'leave',
      'Sign out',
      'On this browser. Your devices go on working.',
      actionButton({ label: 'Sign out', icon: 'exit', act: signOut }),
    ),
    choice(
      'erase',
      'Erase my account',
      'Everything goes, at once and for good. Your devices stop working with us.',
      actionButton({
        label: 'Erase…',
        icon: 'bin',
        kind: 'danger-line',
        name: 'Erase my account',
        act: erase,
      }),
    ),
  );
}

/**
 * @param {string} id
 * @param {string} title
 * @param {string} lead
 * @param {HTMLElement} button
 */
function choice(id, title, lead, button) {
  const box = card(id, title, lead, button);
  box.classList.add('line-card');
  return box;
}

async function download() {
  const held = await call('GET', '/v1/account/export');
  saveFile('my-data.json', `${JSON.stringify(held, null, 2)}\n`, 'application/json');
  tell('Your data is in the file my-data.json.');
}

export async function signOut() {
  await call('DELETE', '/v1/session');
  goToSignIn('signed-out');
}

/** @param {App} app */
async function replaceSecret({ page }) {
  const { account, updateTokens, hostnames } = page;
  const secret = { text: '' };
  const isDone = await ask({
    title: 'Replace your secret?',
    body: [
      h(
        'p',
        null,
        'The old secret ends at once, and with it everything that somebody who knew it may have set up:',
      ),
      h(
        'ul',
        null,
        h('li', null, `${counted(updateTokens.length, 'update password', 'update passwords')} of routers`),
        h(
          'li',
          null,
          `${counted(hostnames.length, 'followed host name', 'followed host names')}, with the addresses found by them`,
        ),
        h('li', null, 'all sign-ins, on this browser too'),
      ),
      h('p', null, 'Your other registered addresses stay, and your devices go on working.'),
    ],
    yes: 'Replace the secret',
    isGrave: true,
    act: async () => {
      const reply = await call('POST', `/v1/accounts/${encodeURIComponent(account.id)}/secret`, {});
      secret.text = reply.secret;
    },
  });
  if (!isDone) return;
  await ask({
    title: 'Your new secret',
    body: [h('p', null, 'Copy it now. It is shown this once.'), pairs([['Account secret', secret.text]])],
    yes: 'Sign in again',
    act: async () => {},
  });
  goToSignIn('signed-out');
}

async function erase() {
  await ask({
    title: 'Erase everything?',
    body: [
      h(
        'p',
        null,
        'Your registered addresses, update passwords, followed names and settings are erased, and so is the account. Nobody can bring them back.',
      ),
    ],
    yes: 'Erase everything',
    isGrave: true,
    typed: 'erase',
    act: async () => {
      await call('DELETE', '/v1/account');
      remember('autoRegister', false);
      goToSignIn('erased');
    },
  });
}
