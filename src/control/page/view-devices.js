import { rich } from './button.js';
import { dnsCard } from './dns-card.js';
import { h } from './dom.js';
import { GUIDES, withAddresses } from './guides.js';
import { icon } from './icons.js';
import { privateNamesCard } from './private-names-card.js';

/**
 * Shows the device guides.
 *
 * @param {import('./app').App} app
 */
export function devicesView(app) {
  const { dnsAddresses } = app.page;
  return h(
    'div',
    { class: 'stack' },
    h(
      'header',
      { class: 'view-head' },
      h('h1', null, 'Set up a device'),
      h('p', { class: 'lead' }, 'Change one setting on the device you watch on. Choose it below.'),
    ),
    h(
      'div',
      { class: 'side-by-side' },
      h('div', { class: 'side' }, dnsCard(app, false)),
      h(
        'div',
        { class: 'card flush' },
        GUIDES.map((guide) => guideBox(guide, dnsAddresses)),
      ),
    ),
    app.page.privateNamesDomain === null ? null : privateNamesCard(app),
  );
}

/**
 * @param {import('./guides.js').Guide} guide
 * @param {readonly string[]} dnsAddresses
 */
function guideBox({ id, title, about, steps, notes }, dnsAddresses) {
  const text = (/** @type {string} */ one) => rich(withAddresses(one, dnsAddresses));
  return h(
    'details',
    { class: 'fold', id: `devices/${id}` },
    h(
      'summary',
      null,
      icon(id === 'router' ? 'router' : 'tv', 'lead-icon'),
      h('span', { class: 'fold-title' }, h('span', null, title), h('small', null, about)),
      icon('chevron', 'fold-mark'),
    ),
    h(
      'div',
      { class: 'fold-body' },
      h(
        'ol',
        { class: 'steps' },
        steps.map((step) => h('li', null, text(step))),
      ),
      (notes || []).map((note) => h('p', { class: 'aside' }, text(note))),
      h('p', { class: 'soft' }, 'Then ', h('a', { href: '#home' }, 'check whether it works'), '.'),
    ),
  );
}
