import { actionButton } from './button.js';
import { card } from './card.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { callout } from './notice.js';
import { regionName, say, sayAny } from './say.js';

/** @typedef {import('./app').App} App */
/** @typedef {import('./types').VerdictName} VerdictName */

/** @type {Record<VerdictName, { kind: 'good' | 'warn' | 'bad', steps: number }>} */
const VERDICTS = {
  working: { kind: 'good', steps: 1 },
  unregistered: { kind: 'warn', steps: 2 },
  elsewhere: { kind: 'bad', steps: 4 },
  mixed: { kind: 'warn', steps: 3 },
  partly: { kind: 'warn', steps: 2 },
  relay: { kind: 'bad', steps: 3 },
  unknown: { kind: 'warn', steps: 1 },
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
    say('test.title'),
    page.testZone === null ? say('test.none') : say('test.lead'),
    page.testZone === null ? null : checks(test === null ? null : test.verdict),
    isRunning ? progress(test.share) : null,
    test !== null && test.verdict !== null ? verdict(test.verdict, test.tally, regionOf(page)) : null,
    page.testZone === null || isRunning
      ? null
      : actionButton({
          id: 'run-test',
          label: say(test === null ? 'test.start' : 'test.again'),
          kind: test === null ? 'primary push' : 'push',
          act: () => app.runTest(),
        }),
  );
}

/** @type {readonly { text: import('./say.js').MessageKey, yes: readonly string[], no: readonly string[] }[]} */
const CHECKS = [
  {
    text: 'test.asks-us',
    yes: ['working', 'unregistered', 'partly', 'mixed', 'relay'],
    no: ['elsewhere'],
  },
  {
    text: 'test.asks-nobody-else',
    yes: ['working', 'unregistered', 'partly', 'relay'],
    no: ['mixed', 'elsewhere'],
  },
  { text: 'test.is-registered', yes: ['working', 'relay'], no: ['unregistered', 'partly'] },
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
        h(
          'span',
          null,
          say(text),
          is || isNot ? h('span', { class: 'offscreen' }, `: ${say(is ? 'test.yes' : 'test.no')}`) : null,
        ),
      );
    }),
  );
}

/** @param {number} share */
function progress(share) {
  return h(
    'div',
    { class: 'progress' },
    h('label', { for: 'test-progress' }, say('test.asking')),
    h('progress', { id: 'test-progress', max: '1', value: share }),
  );
}

/**
 * @param {VerdictName} name
 * @param {import('./types').Tally | null} tally
 * @param {string} region title of the account's region
 */
function verdict(name, tally, region) {
  const { kind, steps } = VERDICTS[name];
  const list = h(
    steps > 1 ? 'ol' : 'ul',
    { class: steps > 1 ? 'todo' : 'todo single' },
    Array.from({ length: steps }, (_, index) => h('li', null, sayAny(`test.${name}-${index + 1}`))),
  );
  const isCarried = tally !== null && tally.relayed === true;
  const carried = isCarried ? h('p', null, say('test.carried', { region })) : null;
  const box = callout(kind, say(`test.${name}`), h('p', null, say(`test.${name}-text`)), carried, list);
  box.setAttribute('data-verdict', name);
  const counts =
    tally === null
      ? null
      : say('test.counts', { loads: tally.loads, reached: tally.reached, registered: tally.registered });
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
  return region === undefined ? account.region : regionName(region);
}

/** @param {VerdictName} name */
export function verdictTitle(name) {
  return say(`test.${name}`);
}
