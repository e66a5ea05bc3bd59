/**
 * Steps to set the DNS servers of a device. Text between double asterisks is what the screen shows; DNS1 and DNS2 are
 * replaced by the addresses.
 *
 * @typedef {object} Guide
 * @property {string} id
 * @property {string} title
 * @property {string} about models that it covers
 * @property {string[]} steps
 * @property {string[]} [notes]
 */

const BOTH = 'Enter **DNS1** as the first DNS server and **DNS2** as the second.';

/** @type {readonly Guide[]} */
export const GUIDES = [
  {
    id: 'apple-tv',
    title: 'Apple TV',
    about: 'Apple TV HD and Apple TV 4K',
    steps: [
      'Open **Settings** and choose **Network**.',
      'Choose your connection: **Wi-Fi** and then the name of your network, or **Ethernet**.',
      'Choose **Configure DNS**, then **Manual**.',
      'Enter **DNS1** and choose **Done**.',
      'Restart it: **Settings**, **System**, **Restart**.',
    ],
    notes: ['Apple TV takes one DNS server. That is enough.'],
  },
  {
    id: 'samsung',
    title: 'Samsung TV',
    about: 'Smart TVs from 2016 on',
    steps: [
      'Press Home on the remote and open **Settings**. On sets from 2022 on, go to **All Settings**, **Connection**, **Network**. On older ones: **General**, **Network**.',
      'Choose **Network Status** and wait until the check has ended. Then choose **IP Settings**.',
      'Set **DNS Setting** to **Enter manually**. Leave **IP Setting** as it is.',
      'Choose **DNS Server**, enter **DNS1** and choose **OK**.',
      'Switch the TV off and on again: hold the power button until it restarts.',
    ],
    notes: ['Samsung TVs take one DNS server. That is enough.'],
  },
  {
    id: 'lg',
    title: 'LG TV',
    about: 'webOS, from 2014 on',
    steps: [
      'Press the Settings button (a gear). Choose **All Settings**, or **Settings** at the lower left.',
      'Choose **General**, then **Network**. On older sets: **Network** or **Connection** in the first list.',
      'Choose **Wi-Fi Connection** or **Wired Connection (Ethernet)**, then **Advanced Wi-Fi Settings** or your connection.',
      'Choose **Edit** and untick **Set Automatically**.',
      'Change only **DNS Server**: enter **DNS1**. Choose **Connect** or **Save**.',
      'Unplug the TV for half a minute, so that it forgets old answers.',
    ],
    notes: ['LG TVs take one DNS server. That is enough.'],
  },
  {
    id: 'playstation',
    title: 'PlayStation',
    about: 'PlayStation 5 and 4',
    steps: [
      'PS5: open **Settings**, **Network**, **Settings**, **Set Up Internet Connection**.',
      'Highlight the network you are on, press the Options button, and choose **Advanced Settings**.',
      'Set **DNS Settings** to **Manual**.',
      'Enter **DNS1** as **Primary DNS** and **DNS2** as **Secondary DNS**. Choose **OK**.',
      'Restart the console.',
    ],
    notes: [
      'PS4: **Settings**, **Network**, **Set Up Internet Connection**, your connection, **Custom**. Choose **Automatic** for IP address, **Do Not Specify** for DHCP host name, **Manual** for DNS settings, **Automatic** for MTU, **Do Not Use** for proxy server.',
    ],
  },
  {
    id: 'xbox',
    title: 'Xbox',
    about: 'Xbox Series X, Series S and One',
    steps: [
      'Press the Xbox button. Open **Profile & system**, **Settings**, **General**, **Network settings**.',
      'Choose **Advanced settings**, then **DNS settings**, then **Manual**.',
      'Enter **DNS1** as **Primary IPv4 DNS** and **DNS2** as **Secondary IPv4 DNS**.',
      'Press B to leave. The console checks the connection.',
      'Restart it: hold the Xbox button and choose **Restart console**.',
    ],
  },
  {
    id: 'roku',
    title: 'Roku',
    about: 'Roku players and TVs: set up on the router',
    steps: [
      'A Roku has no setting for DNS servers. It takes what your router hands out, so follow the guide **Your router** below.',
      'Many apps on Roku ask Google’s servers (8.8.8.8) whatever the router says. Block those on the router; the same guide says how.',
      'Restart the Roku: **Settings**, **System**, **Power** (if it is there), **System restart**.',
    ],
  },
  {
    id: 'fire-tv',
    title: 'Fire TV',
    about: 'Fire TV Stick, Cube and TVs',
    steps: [
      'Open **Settings**, **Network**. Highlight your network and press the Play/Pause button: note the **IP address** and the **Gateway**.',
      'Press the Menu button (three lines) on your network and choose to forget it.',
      'Choose the network again, enter its password, and choose **Advanced**.',
      'Enter the IP address and the gateway that you noted, and **24** as the network prefix length.',
      'Enter **DNS1** as **DNS 1** and **DNS2** as **DNS 2**. Choose **Connect**.',
    ],
    notes: [
      'The address that you enter is fixed from now on. If another device ever gets the same one, reserve it for the Fire TV on your router.',
    ],
  },
  {
    id: 'chromecast',
    title: 'Chromecast and Google TV',
    about: 'Google TV Streamer, Chromecast, Android TV',
    steps: [
      'With a remote (Google TV, Android TV): open **Settings**, **Network & internet**, and choose your network.',
      'Note the IP address it shows. Choose **IP settings**, then **Static**.',
      'Enter that IP address, your router as the gateway, and **24** as the network prefix length.',
      'Enter **DNS1** as **DNS 1** and **DNS2** as **DNS 2**.',
      'Without a remote (older Chromecasts): they always ask Google’s servers (8.8.8.8). Set up your router instead and block those there.',
    ],
    notes: [
      'Switch off **Private DNS** if it is on, unless it has a private name of yours: **Settings**, **Network & internet**, **Private DNS**, **Off**.',
    ],
  },
  {
    id: 'router',
    title: 'Your router',
    about: 'Every device in the home at once',
    steps: [
      'Open your router’s page, often 192.168.1.1, 192.168.0.1 or fritz.box, and sign in.',
      `Find the DNS servers. They are under **Internet** or **WAN**, or under **LAN**, **DHCP server**. ${BOTH}`,
      'Leave no third server, and none of another provider: devices would ask that one too, and some things would work and others not.',
      'If your home has IPv6, look for **IPv6 DNS** as well. Enter our IPv6 address there if one is listed above; otherwise have the router hand out no IPv6 DNS server.',
      'Restart the router, then your devices.',
    ],
    notes: [
      '**Devices that ask 8.8.8.8 whatever you set** (Roku, Chromecast, some TVs): keep them from reaching it, and they fall back to your router. In the firewall, block outgoing traffic to **8.8.8.8** and **8.8.4.4** on ports 53, 443 and 853, and with IPv6 **2001:4860:4860::8888** and **2001:4860:4860::8844**.',
      'No firewall rules on your router? Add two **static routes**: destination 8.8.8.8 and 8.8.4.4, mask 255.255.255.255, gateway an unused address of your home network (such as 192.168.1.254).',
      'FRITZ!Box: **Internet**, **Account Information**, **DNS Server**, **Use other DNSv4 servers**. ASUS: **WAN**, **Internet Connection**, **WAN DNS Setting**. OpenWrt: **Network**, **Interfaces**, **wan**, **Advanced Settings**; untick **Use DNS servers advertised by peer**.',
    ],
  },
  {
    id: 'resolver',
    title: 'Pi-hole, unbound or dnsmasq',
    about: 'A DNS server of your own at home',
    steps: [
      'Make ours its only upstream servers: **DNS1** and **DNS2**. With another one beside them, some things would work and others not.',
      'Pi-hole: **Settings**, **DNS**. Untick all providers and enter both under **Custom DNS servers**. unbound: a **forward-zone** for **"."** with a **forward-addr** each. dnsmasq: a line **server=** each, and **no-resolv**.',
      'If it checks DNSSEC, switch that off, or except the services: it takes our answers for forged ones, because they are not the service’s own. Your provider can give you the lines (**catalog export**).',
    ],
    notes: [
      'In Pi-hole the switch is **Use DNSSEC**. In unbound it is **auto-trust-anchor-file** or **module-config**. In dnsmasq it is **dnssec**.',
    ],
  },
];

/**
 * Fills the addresses into a guide's text.
 *
 * @param {string} text
 * @param {readonly string[]} dnsAddresses
 */
export function withAddresses(text, dnsAddresses) {
  const four = dnsAddresses.filter((address) => !address.includes(':'));
  const [first, second] = four.length > 0 ? four : dnsAddresses;
  return text
    .split('DNS1')
    .join(first || 'the first address')
    .split('DNS2')
    .join(second || 'the same again');
}
