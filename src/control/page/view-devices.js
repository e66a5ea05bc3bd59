import { dnsCard } from './dns-card.js';
import { h, rich, withLink } from './dom.js';
import { drawing } from './drawings.js';
import { GUIDE_GROUPS, NEED_PRIVATE_NAME } from './guides.js';
import { icon } from './icons.js';
import { privateNamesCard } from './private-names-card.js';
import { say, sayAny } from './say.js';

/** @typedef {{ dns1: string, dns2: string }} DnsServers */

/**
 * Shows the device guides.
 *
 * @param {import('./app').App} app
 */
export function devicesView(app) {
  const { dnsAddresses, privateNamesDomain } = app.page;
  const servers = dnsServers(dnsAddresses);
  const hasNames = privateNamesDomain !== null;
  return h(
    'div',
    { class: 'stack' },
    h(
      'header',
      { class: 'view-head' },
      h('h1', null, say('devices.title')),
      h('p', { class: 'lead' }, say('devices.lead')),
    ),
    h(
      'div',
      { class: 'side-by-side' },
      h('div', { class: 'side' }, dnsCard(app, false)),
      h(
        'div',
        { class: 'stack' },
        GUIDE_GROUPS.map(({ title, guides }) =>
          h(
            'section',
            { class: 'card flush', 'aria-labelledby': `${title}-title` },
            h('h2', { class: 'card-pad', id: `${title}-title` }, say(title)),
            guides.map((guide) => guideBox(guide, servers, hasNames)),
          ),
        ),
      ),
    ),
    hasNames ? privateNamesCard(app) : null,
  );
}

/**
 * @param {import('./guides.js').Guide} guide
 * @param {DnsServers} servers
 * @param {boolean} hasNames
 */
function guideBox({ id, title, about, icon: picture, steps, notes }, servers, hasNames) {
  const isShown = (/** @type {string} */ key) => hasNames || !NEED_PRIVATE_NAME.includes(key);
  const text = (/** @type {string} */ key) => rich(sayAny(`guide.${key}`, servers) || key);
  const shown = steps.filter(([key]) => isShown(key));
  return h(
    'details',
    { class: 'fold', id: `devices/${id}` },
    h(
      'summary',
      null,
      icon(picture, 'lead-icon'),
      h(
        'span',
        { class: 'fold-title' },
        h('span', null, title || sayAny(`guide.${id}`)),
        about === null ? null : h('small', null, sayAny(`guide.${about}`)),
      ),
      icon('chevron', 'onward fold-mark'),
    ),
    h(
      'div',
      { class: 'fold-body' },
      h(
        'ol',
        { class: 'steps' },
        shown.map(([key, name]) => h('li', null, drawing(name), h('span', null, text(key)))),
      ),
      notes.filter(isShown).map((note) => h('p', { class: 'aside' }, text(note))),
      h('p', { class: 'soft' }, withLink(say('devices.then'), '#home')),
    ),
  );
}

/**
 * Returns the DNS servers to type: IPv4 ones if there are any, as most devices take no others.
 *
 * @param {readonly string[]} dnsAddresses
 * @returns {DnsServers}
 */
function dnsServers(dnsAddresses) {
  const four = dnsAddresses.filter((address) => !address.includes(':'));
  const [first, second] = four.length > 0 ? four : dnsAddresses;
  return { dns1: first || say('devices.first-address'), dns2: second || say('devices.same-again') };
}
