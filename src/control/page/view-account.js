import { call } from './api.js';
import { actionButton } from './button.js';
import { card, pairs } from './card.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { goToSignIn, remember } from './memory.js';
import { tell } from './notice.js';

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
  const url = URL.createObjectURL(
    new Blob([`${JSON.stringify(held, null, 2)}\n`], { type: 'application/json' }),
  );
  const link = h('a', { href: url, download: 'my-data.json', class: 'offscreen' }, 'my-data.json');
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  tell('Your data is in the file my-data.json.');
}

export async function signOut() {
  await call('DELETE', '/v1/session');
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
