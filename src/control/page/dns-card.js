import { card } from './card.js';
import { copyButton } from './copy.js';
import { h } from './dom.js';
import { icon } from './icons.js';
import { callout } from './notice.js';

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
    'DNS server addresses',
    'Type these into your TV, console or router.',
    dnsAddresses.length === 0
      ? callout(
          'info',
          'None yet',
          h('p', null, 'Your provider has not listed any address here. Please ask for it.'),
        )
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
          h('span', null, 'Show me how on my device'),
          icon('chevron'),
        )
      : null,
  );
}
