/**
 * Guides to set the DNS servers of a device. The steps are keys of messages below `guide.`; each has a drawing.
 *
 * @typedef {'settings' | 'network' | 'manual' | 'type' | 'restart' | 'read'} Drawing
 * @typedef {readonly [step: string, drawing: Drawing]} Step
 *
 * @typedef {object} Guide
 * @property {string} id also its deep link, `#devices/ID`
 * @property {string | null} title a product's name; null: the message `guide.ID`
 * @property {string | null} about a key of a message, or null
 * @property {import('./icons.js').IconName} icon
 * @property {readonly Step[]} steps
 * @property {readonly string[]} notes
 */

/**
 * @param {string} id
 * @param {string | null} title
 * @param {string | null} about
 * @param {import('./icons.js').IconName} icon
 * @param {readonly Step[]} steps
 * @param {readonly string[]} [notes]
 * @returns {Guide}
 */
const guide = (id, title, about, icon, steps, notes) => ({
  id,
  title,
  about,
  icon,
  steps,
  notes: notes || [],
});

/** @type {Step} */
const TYPE_ONE = ['type-one', 'type'];
/** @type {Step} */
const TYPE_TWO = ['type-two', 'type'];
/** @type {Step} */
const UNPLUG = ['unplug', 'restart'];
/** @type {Step} */
const RESTART = ['restart', 'restart'];

/**
 * @param {string} id
 * @param {string} title
 */
const googleTv = (id, title) =>
  guide(
    id,
    title,
    'google-tv.about',
    'tv',
    [
      ['google-tv.1', 'settings'],
      ['google-tv.2', 'manual'],
      ['static', 'type'],
      ['google-tv.3', 'type'],
      RESTART,
    ],
    ['static-note', 'google-tv.note'],
  );

/** @type {readonly Step[]} */
const ROUTER_END = [TYPE_TWO, ['leave-none', 'manual'], ['restart-router', 'restart']];

/** @type {readonly Guide[]} */
const TVS = [
  guide(
    'samsung',
    'Samsung TV',
    'samsung.about',
    'tv',
    [['samsung.1', 'settings'], ['samsung.2', 'network'], ['samsung.3', 'manual'], TYPE_ONE, UNPLUG],
    ['one-server'],
  ),
  guide(
    'lg',
    'LG TV',
    'lg.about',
    'tv',
    [['lg.1', 'settings'], ['lg.2', 'network'], ['lg.3', 'manual'], TYPE_ONE, UNPLUG],
    ['one-server'],
  ),
  guide(
    'fire-tv',
    'Amazon Fire TV',
    'fire-tv.about',
    'tv',
    [
      ['fire-tv.1', 'settings'],
      ['fire-tv.2', 'network'],
      ['fire-tv.3', 'manual'],
      ['static', 'type'],
      ['fire-tv.4', 'type'],
    ],
    ['static-note'],
  ),
  guide(
    'apple-tv',
    'Apple TV',
    'apple-tv.about',
    'tv',
    [['apple-tv.1', 'settings'], ['apple-tv.2', 'manual'], TYPE_ONE, RESTART],
    ['one-server'],
  ),
  googleTv('google-tv', 'Google TV Streamer, Chromecast'),
  googleTv('sony', 'Sony Bravia'),
  googleTv('philips', 'Philips Android TV'),
  googleTv('tcl', 'TCL'),
  googleTv('xiaomi', 'Xiaomi TV, TV Box, TV Stick'),
  googleTv('shield', 'NVIDIA Shield TV'),
  guide('roku', 'Roku', 'roku.about', 'tv', [['roku.1', 'read'], ['roku.2', 'read'], RESTART]),
  guide('chromecast', 'Chromecast', 'chromecast.about', 'tv', [
    ['chromecast.1', 'read'],
    ['chromecast.2', 'read'],
    RESTART,
  ]),
  guide(
    'other-tv',
    null,
    'other-tv.about',
    'tv',
    [['other-tv.1', 'settings'], ['other-tv.2', 'manual'], TYPE_ONE, UNPLUG],
    ['names-differ'],
  ),
];

/** @type {readonly Guide[]} */
const CONSOLES = [
  guide('ps5', 'PlayStation 5', 'ps5.about', 'gamepad', [
    ['ps5.1', 'settings'],
    ['ps5.2', 'network'],
    ['ps5.3', 'manual'],
    TYPE_TWO,
    RESTART,
  ]),
  guide('ps4', 'PlayStation 4', 'ps4.about', 'gamepad', [
    ['ps4.1', 'settings'],
    ['ps4.2', 'manual'],
    TYPE_TWO,
    ['ps4.3', 'network'],
    RESTART,
  ]),
  guide('xbox', 'Xbox', 'xbox.about', 'gamepad', [
    ['xbox.1', 'settings'],
    ['xbox.2', 'manual'],
    TYPE_TWO,
    ['xbox.3', 'network'],
    RESTART,
  ]),
  guide('switch', 'Nintendo Switch', 'switch.about', 'gamepad', [
    ['switch.1', 'settings'],
    ['switch.2', 'manual'],
    TYPE_TWO,
    RESTART,
  ]),
];

/** @type {readonly Guide[]} */
const PHONES = [
  guide(
    'android',
    'Android',
    'android.about',
    'phone',
    [
      ['android.1', 'settings'],
      ['android.2', 'type'],
    ],
    ['android.note'],
  ),
  guide(
    'iphone',
    'iPhone, iPad',
    null,
    'phone',
    [
      ['iphone.1', 'settings'],
      ['iphone.2', 'type'],
      ['iphone.3', 'manual'],
    ],
    ['iphone.note'],
  ),
  guide('windows', 'Windows', 'windows.about', 'laptop', [
    ['windows.1', 'settings'],
    ['windows.2', 'manual'],
    TYPE_TWO,
  ]),
  guide(
    'mac',
    'Mac',
    null,
    'laptop',
    [
      ['mac.1', 'settings'],
      ['mac.2', 'type'],
    ],
    ['iphone.note'],
  ),
  guide('chromebook', 'Chromebook', null, 'laptop', [
    ['chromebook.1', 'settings'],
    ['chromebook.2', 'manual'],
    TYPE_TWO,
  ]),
  guide('linux', 'Linux', 'linux.about', 'laptop', [
    ['linux.1', 'settings'],
    ['linux.2', 'manual'],
    TYPE_TWO,
  ]),
  guide('browser', null, 'browser.about', 'laptop', [
    ['browser.1', 'settings'],
    ['browser.2', 'manual'],
    ['browser.name', 'type'],
  ]),
];

/** @type {readonly Guide[]} */
const ROUTERS = [
  guide('fritzbox', 'FRITZ!Box', null, 'router', [
    ['fritzbox.1', 'settings'],
    ['fritzbox.2', 'manual'],
    ...ROUTER_END,
  ]),
  guide('asus-router', 'ASUS', null, 'router', [['asus-router.1', 'settings'], ...ROUTER_END]),
  guide('tp-link', 'TP-Link', null, 'router', [['tp-link.1', 'settings'], ...ROUTER_END]),
  guide('netgear', 'NETGEAR', null, 'router', [['netgear.1', 'settings'], ...ROUTER_END]),
  guide('openwrt', 'OpenWrt', null, 'router', [['openwrt.1', 'settings'], ...ROUTER_END]),
  guide('mesh', null, 'mesh.about', 'router', [['mesh.1', 'settings'], ...ROUTER_END], ['names-differ']),
  guide(
    'router',
    null,
    'router.about',
    'router',
    [
      ['router.1', 'settings'],
      TYPE_TWO,
      ['router.2', 'network'],
      ['leave-none', 'manual'],
      ['restart-router', 'restart'],
    ],
    ['router.note-1', 'router.note-2'],
  ),
  guide(
    'resolver',
    null,
    'resolver.about',
    'router',
    [
      ['resolver.1', 'read'],
      ['resolver.2', 'type'],
      ['resolver.3', 'manual'],
    ],
    ['resolver.note'],
  ),
];

/** @type {readonly { title: import('./say.js').MessageKey, guides: readonly Guide[] }[]} */
export const GUIDE_GROUPS = [
  { title: 'guide.tvs', guides: TVS },
  { title: 'guide.consoles', guides: CONSOLES },
  { title: 'guide.phones', guides: PHONES },
  { title: 'guide.routers', guides: ROUTERS },
];

/** Steps and notes that need a private name. */
export const NEED_PRIVATE_NAME = ['android.1', 'android.2', 'iphone.note', 'browser.name'];
