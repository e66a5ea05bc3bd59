import { actionButton } from './button.js';
import { card } from './card.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { callout } from './notice.js';

/** @typedef {import('./app').App} App */
/** @typedef {import('./types').VerdictName} VerdictName */

/** @type {Record<VerdictName, { kind: 'good' | 'warn' | 'bad', title: string, text: string, steps: string[] }>} */
const VERDICTS = {
  working: {
    kind: 'good',
    title: 'It works on this device',
    text: 'This device asks our DNS servers, and this network is registered. You can watch.',
    steps: ['If one app still does not play, close it fully and open it again, or restart the device.'],
  },
  unregistered: {
    kind: 'warn',
    title: 'Almost: this network is not registered',
    text: 'This device asks our DNS servers, but they do not know your network’s address.',
    steps: [
      'Press “Register this network” at the top of this page, then check again.',
      'If it says that this network is ready, your device asks us by another address: switch off a VPN or mobile data.',
    ],
  },
  elsewhere: {
    kind: 'bad',
    title: 'This device does not ask our DNS servers',
    text: 'It uses the DNS servers of someone else, so we cannot help it yet.',
    steps: [
      'Enter our DNS server addresses on this device or on your router. The guides say how.',
      'Restart the device afterwards, as devices remember old answers.',
      'In a browser, switch off its own “secure DNS”: in Chrome and Edge under Settings, Privacy and security, Security; in Firefox under Settings, Privacy & Security, DNS over HTTPS.',
      'Switch off a VPN, iCloud Private Relay, or “Private DNS” on Android.',
    ],
  },
  mixed: {
    kind: 'warn',
    title: 'A second DNS server is in use',
    text: 'Some questions of this device reach us and others go elsewhere, so things work now and then.',
    steps: [
      'Remove every DNS server but ours from this device and from your router: no 8.8.8.8, no 1.1.1.1.',
      'If your home has IPv6, look for an IPv6 DNS server on the router as well, and remove it or enter ours.',
      'Restart the router and the device, then check again.',
    ],
  },
  partly: {
    kind: 'warn',
    title: 'Only one of your two addresses is registered',
    text: 'All questions reach us, but some come by an address that we do not know: homes often have an IPv4 and an IPv6 one.',
    steps: [
      'Press “Register this network” at the top of this page: it registers both.',
      'If it says that this network is ready, remove the IPv6 DNS server from your router.',
    ],
  },
  relay: {
    kind: 'bad',
    title: 'Our relay does not carry this device',
    text: 'This device asks our DNS servers and this network is registered, but the relay of your region could not be reached.',
    steps: [
      'Wait a minute and check again. A relay may just be restarting.',
      'If your router or provider blocks ports 80 and 443 of single addresses, allow them.',
      'If it stays so, tell your provider.',
    ],
  },
  unknown: {
    kind: 'warn',
    title: 'The check could not be made',
    text: 'This device cannot reach us at the moment, so the result would mean nothing.',
    steps: ['See whether other sites open. If they do, try again in a minute.'],
  },
};

/**
 * Shows the check "Is it working?". It runs on this device, and nothing about it is stored.
 *
 * @param {App} app
 */
export function testCard(app) {
  const { page, test } = app;
  const isRunning = test !== null && test.verdict === null;
  return card(
    'test',
    'Is it working?',
    page.testZone === null
      ? 'Your provider has not set up this check. Open an app that you want to watch, to see whether it plays.'
      : 'A check of this device, in a few seconds. To check a TV, open this page there.',
    page.testZone === null ? null : checks(test === null ? null : test.verdict),
    isRunning ? progress(test.share) : null,
    test !== null && test.verdict !== null ? verdict(test.verdict, test.tally, regionOf(page)) : null,
    page.testZone === null || isRunning
      ? null
      : actionButton({
          id: 'run-test',
          label: test === null ? 'Check this device' : 'Check again',
          kind: test === null ? 'primary push' : 'push',
          act: () => app.runTest(),
        }),
  );
}

/** @type {readonly { text: string, yes: readonly string[], no: readonly string[] }[]} */
const CHECKS = [
  {
    text: 'This device asks our DNS servers',
    yes: ['working', 'unregistered', 'partly', 'mixed', 'relay'],
    no: ['elsewhere'],
  },
  {
    text: 'No other DNS server is in use',
    yes: ['working', 'unregistered', 'partly', 'relay'],
    no: ['mixed', 'elsewhere'],
  },
  { text: 'This network is registered', yes: ['working', 'relay'], no: ['unregistered', 'partly'] },
];

/**
 * Lists the steps of the check with their results; unknown results stay open.
 *
 * @param {VerdictName | null} name
 */
function checks(name) {
  return h(
    'ul',
    { class: 'checks' },
    CHECKS.map(({ text, yes, no }) => {
      const is = name !== null && yes.includes(name);
      const isNot = name !== null && no.includes(name);
      return h(
        'li',
        null,
        h(
          'span',
          { class: is ? 'dot yes' : isNot ? 'dot no' : 'dot' },
          is ? icon('check') : isNot ? icon('cross') : null,
        ),
        h('span', null, text, is || isNot ? h('span', { class: 'offscreen' }, is ? ': yes' : ': no') : null),
      );
    }),
  );
}

/** @param {number} share */
function progress(share) {
  return h(
    'div',
    { class: 'progress' },
    h('label', { for: 'test-progress' }, 'Asking our DNS servers…'),
    h('progress', { id: 'test-progress', max: '1', value: share }),
  );
}

/**
 * @param {VerdictName} name
 * @param {import('./types').Tally | null} tally
 * @param {string} region title of the account's region
 */
function verdict(name, tally, region) {
  const { kind, title, text, steps } = VERDICTS[name];
  const list = h(
    steps.length > 1 ? 'ol' : 'ul',
    { class: steps.length > 1 ? 'todo' : 'todo single' },
    steps.map((step) => h('li', null, step)),
  );
  const isCarried = tally !== null && tally.relayed === true;
  const carried = isCarried ? h('p', null, `The relay for ${region} carries this device.`) : null;
  const box = callout(kind, title, h('p', null, text), carried, list);
  box.setAttribute('data-verdict', name);
  const counts =
    tally === null
      ? null
      : `Reached us: ${tally.reached} of ${tally.loads}. As registered: ${tally.registered} of ${tally.loads}.`;
  return h(
    'div',
    { class: 'stack tight' },
    box,
    counts === null ? null : h('p', { class: 'small soft' }, counts),
  );
}

/** @param {import('./types').PageData} page */
function regionOf({ account, regions }) {
  const region = regions.find(({ id }) => id === account.region);
  return region === undefined ? account.region : region.title;
}

/** @param {VerdictName} name */
export function verdictTitle(name) {
  return VERDICTS[name].title;
}
