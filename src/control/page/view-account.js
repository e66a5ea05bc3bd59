import { call } from './api.js';
import { actionButton } from './button.js';
import { card, pairs } from './card.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { fillLanguages } from './language-choice.js';
import { goToSignIn, remember } from './memory.js';
import { tell } from './notice.js';
import { saveFile } from './save-file.js';
import { say } from './say.js';

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
    h('header', { class: 'view-head' }, h('h1', null, say('account.title'))),
    card(
      'privacy',
      say('account.keep'),
      null,
      h('p', null, say('account.keep-text')),
      pairs([[say('account.number'), account.id]]),
    ),
    languageCard(),
    choice(
      'export',
      say('account.export'),
      say('account.export-text'),
      actionButton({ label: say('account.export-do'), icon: 'download', act: download }),
    ),
    choice(
      'secret',
      say('account.secret'),
      say('account.secret-text'),
      actionButton({
        label: say('account.secret-do'),
        icon: 'key',
        act: () => replaceSecret(app),
      }),
    ),
    choice(
      'leave',
      say('account.sign-out'),
      say('account.sign-out-text'),
      actionButton({ label: say('account.sign-out'), icon: 'exit', act: signOut }),
    ),
    choice(
      'erase',
      say('account.erase'),
      say('account.erase-text'),
      actionButton({
        label: say('account.erase-do'),
        icon: 'bin',
        kind: 'danger-line',
        act: erase,
      }),
    ),
  );
}

function languageCard() {
  const select = h('select', { id: 'language', 'aria-labelledby': 'language-choice-title' });
  fillLanguages(select);
  const field = h('div', { class: 'select' }, select, icon('chevron'));
  return choice('language-choice', say('account.language'), say('account.language-text'), field);
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
  tell(say('account.exported'));
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
    title: say('account.secret-ask'),
    body: [
      h('p', null, say('account.secret-ends')),
      h(
        'ul',
        null,
        h('li', null, say('account.secret-ends-tokens', { count: updateTokens.length })),
        h('li', null, say('account.secret-ends-hostnames', { count: hostnames.length })),
        h('li', null, say('account.secret-ends-sessions')),
      ),
      h('p', null, say('account.secret-stays')),
    ],
    yes: say('account.secret-yes'),
    isGrave: true,
    act: async () => {
      const reply = await call('POST', `/v1/accounts/${encodeURIComponent(account.id)}/secret`, {});
      secret.text = reply.secret;
    },
  });
  if (!isDone) return;
  await ask({
    title: say('account.secret-new'),
    body: [h('p', null, say('do.shown-once')), pairs([[say('sign-in.secret'), secret.text]])],
    yes: say('account.secret-again'),
    act: async () => {},
  });
  goToSignIn('signed-out');
}

async function erase() {
  await ask({
    title: say('account.erase-ask'),
    body: [h('p', null, say('account.erase-all'))],
    yes: say('account.erase-yes'),
    isGrave: true,
    typed: say('account.erase-word'),
    act: async () => {
      await call('DELETE', '/v1/account');
      remember('autoRegister', false);
      goToSignIn('erased');
    },
  });
}
