import { call } from './api.js';
import { isBusy, setBusy } from './dialog.js';
import { byId } from './dom.js';
import { fillLanguages } from './language-choice.js';
import { remember, takeReason } from './memory.js';
import { codeOf, sentenceOf } from './problems.js';
import { say } from './say.js';

/** @type {Record<import('./memory.js').Reason, import('./say.js').MessageKey>} */
const REASONS = { expired: 'sign-in.expired', 'signed-out': 'sign-in.signed-out', erased: 'sign-in.erased' };

const secret = /** @type {HTMLInputElement} */ (byId('secret'));
const message = byId('error-text');

/** One-time token of a sign-in link. It is in the fragment, which neither servers nor mail scanners see. */
let link = location.hash.slice(1);

function showReason() {
  const reason = takeReason();
  if (reason === null || REASONS[reason] === undefined) return;
  byId('reason').textContent = say(REASONS[reason]);
  byId('reason').hidden = false;
}

/** @param {string} words */
function showMessage(words) {
  message.textContent = words;
  message.hidden = false;
}

/** @param {boolean} isLink */
function showForm(isLink) {
  byId('by-link').hidden = !isLink;
  byId('by-secret').hidden = isLink;
}

/**
 * @param {HTMLElement} button
 * @param {object} body
 * @returns {Promise<string | null>} the code of a failure
 */
async function signIn(button, body) {
  if (isBusy(button)) return null;
  setBusy(button, true);
  message.hidden = true;
  try {
    await call('POST', '/v1/session', body);
    remember('signedIn', true);
    location.replace('/');
    return null;
  } catch (error) {
    const isWrong = codeOf(error) === 'unauthorized';
    const what = 'link' in body ? 'sign-in.used-link' : 'sign-in.wrong-secret';
    showMessage(isWrong ? say(what) : sentenceOf(error));
    setBusy(button, false);
    return codeOf(error);
  }
}

byId('secret-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = secret.value.trim();
  if (text === '') showMessage(say('sign-in.no-secret'));
  const code = text === '' ? 'empty' : await signIn(byId('secret-button'), { secret: text });
  secret.setAttribute('aria-invalid', String(code === 'unauthorized' || code === 'empty'));
  if (code !== null) secret.focus();
});

byId('link-button').addEventListener('click', async () => {
  history.replaceState(null, '', '/sign-in');
  const code = await signIn(byId('link-button'), { link });
  // The link is used up only if the server said so.
  if (code === null || code === 'server_away' || code === 'offline' || code === 'store_unavailable') return;
  link = '';
  showForm(false);
  secret.focus();
});

byId('show-secret').addEventListener('click', () => {
  const isHidden = secret.type === 'password';
  secret.type = isHidden ? 'text' : 'password';
  byId('show-secret').textContent = say(isHidden ? 'sign-in.hide' : 'sign-in.show');
  byId('show-secret').setAttribute('aria-pressed', String(isHidden));
});

window.addEventListener('hashchange', () => {
  link = location.hash.slice(1);
  message.hidden = true;
  showForm(link !== '');
});

fillLanguages(/** @type {HTMLSelectElement} */ (byId('language')));
showReason();
showForm(link !== '');
byId(link === '' ? 'secret' : 'link-button').focus();
