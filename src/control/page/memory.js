/** Settings kept in this browser. Browsers that forbid storage keep nothing. */

const KEYS = {
  /** `1`: register this network at each visit. */
  autoRegister: 'ms.autoRegister',
  /** `1` while signed in: a refused call then means an ended session. */
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
    // Then it is remembered until the page is closed.
  }
}

const REASON = 'ms.reason';

/** @typedef {'expired' | 'signed-out' | 'erased'} Reason */

/**
 * Goes to the sign-in page, which shows the reason.
 *
 * @param {Reason | null} reason
 */
export function goToSignIn(reason) {
  remember('signedIn', false);
  try {
    if (reason !== null) sessionStorage.setItem(REASON, reason);
  } catch {
    // Then the page shows no reason.
  }
  location.replace('/sign-in');
}

/** @returns {Reason | null} the reason for opening the sign-in page; cleared by reading */
export function takeReason() {
  try {
    const reason = sessionStorage.getItem(REASON);
    sessionStorage.removeItem(REASON);
    return /** @type {Reason | null} */ (reason);
  } catch {
    return null;
  }
}
