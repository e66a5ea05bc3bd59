import { call } from './api.js';
import { byId, focusHeading, h, replaceContent } from './dom.js';
import { icon } from './icons.js';
import { goToSignIn, isRemembered, remember } from './memory.js';
import { findPaths, registerPaths } from './network.js';
import { speak, tell, tellError } from './notice.js';
import { CallError, codeOf, sentenceOf } from './problems.js';
import { say } from './say.js';
import { runSelfTest, verdictOf } from './self-test.js';
import { verdictTitle } from './test-card.js';
import { accountView, signOut } from './view-account.js';
import { devicesView } from './view-devices.js';
import { homeView } from './view-home.js';
import { regionsView } from './view-regions.js';
import { routersView } from './view-routers.js';

/** @typedef {import('./app').App} App */

/** @type {Record<string, { title: import('./say.js').MessageKey, icon: import('./icons.js').IconName, make: (app: App) => HTMLElement }>} */
const VIEWS = {
  home: { title: 'home.title', icon: 'home', make: homeView },
  regions: { title: 'regions.title', icon: 'globe', make: regionsView },
  devices: { title: 'devices.title', icon: 'tv', make: devicesView },
  routers: { title: 'nav.routers', icon: 'router', make: routersView },
  account: { title: 'nav.account', icon: 'person', make: accountView },
};

/** Age at which a page reloads its data when it becomes visible: the device may have moved. */
const STALE_MS = 60_000;
const RENEWED = 'ms.renewed';

const view = byId('view');
let loadedAtMs = 0;
/** @type {(() => void)[]} */
const waiting = [];

/** @type {App} */
const app = {
  page: /** @type {any} */ (null),
  paths: null,
  test: null,
  newToken: null,
  newName: null,
  naming: null,
  nowMs: () => Date.now(),
  render,
  afterRender: (act) => {
    waiting.push(act);
  },
  reload,
  change,
  attempt,
  register,
  registerQuietly,
  runTest,
  sentence,
};

function currentView() {
  const [name] = location.hash.slice(1).split('/');
  return VIEWS[name] === undefined ? 'home' : name;
}

function render() {
  if (app.page === null) return;
  replaceContent(view, VIEWS[currentView()].make(app));
  for (const act of waiting.splice(0)) act();
}

/** Shows the view, and the guide in it, that the URL's fragment names. */
function navigate() {
  const name = currentView();
  document.title = say('app.title', { view: say(VIEWS[name].title), app: say('app.name') });
  for (const link of document.querySelectorAll('[data-view]')) {
    if (link.getAttribute('data-view') === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (app.page === null) return;
  render();
  const target = location.hash.includes('/') ? document.getElementById(location.hash.slice(1)) : null;
  if (target === null) {
    window.scrollTo(0, 0);
    focusHeading(view);
  } else {
    target.setAttribute('open', '');
    target.scrollIntoView();
    /** @type {HTMLElement} */ (target.querySelector('summary')).focus();
  }
}

/** Loads the page's data. An ended session leads to the sign-in page. */
async function load() {
  try {
    app.page = await call('GET', '/v1/page');
  } catch (error) {
    leaveIfSignedOut(error);
    throw error;
  }
  remember('signedIn', true);
  loadedAtMs = Date.now();
}

/**
 * @param {unknown} error
 */
function leaveIfSignedOut(error) {
  if (error instanceof CallError && error.status === 401) {
    goToSignIn(isRemembered('signedIn') ? 'expired' : null);
  }
}

/** @param {string} [words] */
async function reload(words) {
  await load();
  if (words !== undefined) tell(words);
  await look();
}

/** Finds the addresses by which this network reaches us. */
async function look() {
  const { familyUrls } = app.page;
  if (familyUrls.ipv4 === null && familyUrls.ipv6 === null) app.paths = await findPaths(app.page);
  else {
    render();
    app.paths = await findPaths(app.page);
  }
  render();
}

/**
 * @param {() => Promise<unknown>} act
 * @param {string} words
 */
async function change(act, words) {
  try {
    await act();
    await reload(words);
  } catch (error) {
    leaveIfSignedOut(error);
    tellError(error);
    render();
  }
}

/** @param {() => Promise<unknown>} act */
async function attempt(act) {
  try {
    await act();
  } catch (error) {
    leaveIfSignedOut(error);
    tellError(error);
  }
}

/**
 * @param {{ label?: string, replace?: 'oldest' }} options
 * @param {boolean} [throwsFull]
 * @returns {Promise<'done' | 'full'>}
 */
async function register(options, throwsFull) {
  const paths = app.paths || (await findPaths(app.page));
  try {
    await registerPaths(paths, options);
  } catch (error) {
    leaveIfSignedOut(error);
    if (codeOf(error) !== 'too_many_addresses' || throwsFull) throw error;
    await reload();
    return 'full';
  }
  await reload(
    options.label === undefined ? say('home.registered') : say('home.named', { name: options.label }),
  );
  return 'done';
}

/** Registers if the switch is on, and renews the lease of a registered network, once per visit. */
async function registerQuietly() {
  const present = (app.paths || []).filter((path) => path.address !== null);
  const held = present.filter((path) => path.registration !== null);
  const isAllIn = held.length === present.length;
  if (!isAllIn && !(isRemembered('autoRegister') && app.page.caller.registrable)) return;
  // The server renews the address of the page's own call; the page renews the other family.
  const mayRenew = present.some((path) => path.url !== null) && !isRenewed();
  if (present.length === 0 || (isAllIn && !mayRenew)) return;
  try {
    await registerPaths(present, {});
    noteRenewed();
    await reload(isAllIn ? undefined : say('home.registered-for-you'));
  } catch (error) {
    if (!isAllIn) await attempt(() => Promise.reject(error));
  }
}

function isRenewed() {
  try {
    return sessionStorage.getItem(RENEWED) !== null;
  } catch {
    return true;
  }
}

function noteRenewed() {
  try {
    sessionStorage.setItem(RENEWED, '1');
  } catch {
    // Then this visit does not renew it.
  }
}

async function runTest() {
  const { testZone, relayTest } = app.page;
  if (testZone === null || (app.test !== null && app.test.verdict === null)) return;
  app.test = { share: 0, verdict: null, tally: null };
  render();
  const tally = await runSelfTest(testZone, relayTest, (share) => {
    app.test = { share, verdict: null, tally: null };
    const bar = document.getElementById('test-progress');
    if (bar instanceof HTMLProgressElement) bar.value = share;
  });
  const verdict = (await canReachUs()) ? verdictOf(tally) : 'unknown';
  app.test = { share: 1, verdict, tally: verdict === 'unknown' ? null : tally };
  render();
  speak(verdictTitle(verdict));
  const again = document.getElementById('run-test');
  if (again !== null) again.focus({ preventScroll: true });
}

/** Tells whether we are reachable: if not, failed loads say nothing about the DNS server. */
async function canReachUs() {
  try {
    await call('GET', '/v1/ip');
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {unknown} error
 * @param {string} field
 */
function sentence(error, field) {
  leaveIfSignedOut(error);
  const isInput = error instanceof CallError && error.code === 'bad_input' && error.fields.length > 0;
  return isInput
    ? say('do.field-expected', { field, expected: error.fields[0].expected })
    : sentenceOf(error);
}

async function start() {
  try {
    await load();
  } catch (error) {
    if (!(error instanceof CallError && error.status === 401)) showAway(error);
    return;
  }
  if (document.body.classList.contains('starting')) {
    for (const link of document.querySelectorAll('[data-view]')) {
      link.prepend(icon(VIEWS[/** @type {string} */ (link.getAttribute('data-view'))].icon));
    }
    document.body.classList.remove('starting');
  }
  navigate();
  await look();
  await registerQuietly();
}

/** @param {unknown} error */
function showAway(error) {
  const again = h(
    'button',
    {
      type: 'button',
      class: 'button primary',
      onclick: () => {
        replaceContent(view, h('div', { class: 'center' }, h('h1', null, say('app.trying'))));
        start();
      },
    },
    icon('refresh'),
    h('span', null, say('app.try-again')),
  );
  const isOffline = codeOf(error) === 'offline';
  replaceContent(
    view,
    h(
      'div',
      { class: 'center' },
      icon('cloud', 'large'),
      h('h1', null, say(isOffline ? 'app.away-offline' : 'app.away')),
      h('p', { class: 'lead' }, sentenceOf(error)),
      h('p', { class: 'soft' }, say('app.away-hint')),
      again,
    ),
  );
  focusHeading(view);
}

function showOffline() {
  byId('offline').hidden = navigator.onLine !== false;
}

function refreshIfStale() {
  if (document.visibilityState !== 'visible' || app.page === null) return;
  if (Date.now() - loadedAtMs < STALE_MS) return;
  reload().catch(() => undefined);
}

window.addEventListener('hashchange', navigate);
window.addEventListener('offline', showOffline);
window.addEventListener('online', () => {
  showOffline();
  if (app.page === null) start();
  else refreshIfStale();
});
document.addEventListener('visibilitychange', refreshIfStale);
// The fragment names the view, so this link must not use one.
byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  view.focus();
});
byId('sign-out').addEventListener('click', () => attempt(signOut));
showOffline();
start();
