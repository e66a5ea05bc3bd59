import { call } from './api.js';
import { isBusy, setBusy } from './dialog.js';
import { byId } from './dom.js';
import { remember, takeReason } from './memory.js';
import { codeOf, sentenceOf } from './problems.js';

const REASONS = {
  expired: 'You were signed out because you had not been here for a while. Please sign in again.',
  'signed-out': 'You are signed out. Your devices go on working.',
  erased: 'Your account and everything about it is erased.',
};

const secret = /** @type {HTMLInputElement} */ (byId('secret'));
const message = byId('error-text');

/** One-time token of a sign-in link. It is in the fragment, which neither servers nor mail scanners see. */
let link = location.hash.slice(1);

function showReason() {
  const reason = takeReason();
  if (reason === null || REASONS[reason] === undefined) return;
  byId('reason').textContent = REASONS[reason];
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
    const what =
      'link' in body
        ? 'This sign-in link has been used already, or is older than five minutes. Ask for a new one where you got it.'
        : 'That is not an account secret we know. Check that you copied all of it.';
    showMessage(isWrong ? what : sentenceOf(error));
    setBusy(button, false);
    return codeOf(error);
  }
}

byId('secret-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = secret.value.trim();
  if (text === '') showMessage('Please enter your account secret.');
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
  byId('show-secret').textContent = isHidden ? 'Hide' : 'Show';
  byId('show-secret').setAttribute('aria-pressed', String(isHidden));
});

window.addEventListener('hashchange', () => {
  link = location.hash.slice(1);
  message.hidden = true;
  showForm(link !== '');
});

showReason();
showForm(link !== '');
byId(link === '' ? 'secret' : 'link-button').focus();
