import { card } from './card.js';
import { copyButton } from './copy.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { callout } from './notice.js';
import { say } from './say.js';

/**
 * Shows the DNS addresses to enter on a device.
 *
 * @param {import('./app').App} app
 * @param {boolean} hasPath whether it leads on to the guides
 */
export function dnsCard({ page }, hasPath) {
  const { dnsAddresses } = page;
  return card(
    'dns',
    say('dns.title'),
    say('dns.lead'),
    dnsAddresses.length === 0
      ? callout('info', say('dns.none'), h('p', null, say('dns.none-text')))
      : h(
          'ol',
          { class: 'dns-list' },
          dnsAddresses.map((address) =>
            h('li', null, h('code', { class: 'dns-address' }, address), copyButton(address, address)),
          ),
        ),
    hasPath
      ? h(
          'a',
          { class: 'button wide-link', href: '#devices' },
          h('span', null, say('dns.show-how')),
          icon('chevron', 'onward'),
        )
      : null,
  );
}
