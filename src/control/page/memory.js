/** What this browser remembers by itself. Browsers that forbid it simply remember nothing. */

const KEYS = {
  /** `1` where this network is registered whenever the page is opened. */
  autoRegister: 'ms.autoRegister',
  /** `1` while signed in, so that a refused call is known to be an ended session. */
  signedIn: 'ms.signedIn',
};

/** @param {keyof typeof KEYS} name */
export function isRemembered(name) {
  try {
    return localStorage.getItem(KEYS[name]) === '1';
  } catch {
    return false;
  }
}

/**
 * @param {keyof typeof KEYS} name
 * @param {boolean} on
 */
export function remember(name, on) {
  try {
    if (on) localStorage.setItem(KEYS[name], '1');
    else localStorage.removeItem(KEYS[name]);
  } catch {
    // It works until the page is closed.
  }
}

const REASON = 'ms.reason';

/** @typedef {'expired' | 'signed-out' | 'erased'} Reason */

/**
 * Goes to the sign-in page, which says why.
 *
 * @param {Reason | null} reason
 */
export function goToSignIn(reason) {
  remember('signedIn', false);
  try {
    if (reason !== null) sessionStorage.setItem(REASON, reason);
  } catch {
    // Then it does not say why.
  }
  location.replace('/sign-in');
}

/** @returns {Reason | null} why the sign-in page was opened; told once */
export function takeReason() {
  try {
    const reason = sessionStorage.getItem(REASON);
    sessionStorage.removeItem(REASON);
    return /** @type {Reason | null} */ (reason);
  } catch {
    return null;
  }
}
