import { say } from './say.js';

/**
 * Values for the settings of routers and DDNS clients, ready to be copied.
 *
 * @typedef {object} Values
 * @property {string} host the server's host, with its port unless that is the default
 * @property {boolean} isSecure true if it is served over https
 * @property {string} user the account's id
 * @property {string} password an update password or its placeholder
 * @property {string} name the host name, which labels the registration
 *
 * @typedef {{ id: string, title: string, where: string, text: string, note: string | null }} Recipe
 */

/**
 * @param {Values} values
 * @returns {Recipe[]}
 */
export function recipes(values) {
  return [openWrt(values), fritzBox(values), asus(values), ddclient(values), inadyn(values)];
}

/** @param {Values} values */
function ddclient({ host, isSecure, user, password, name }) {
  const scheme = isSecure ? 'https' : 'http';
  return {
    id: 'ddclient',
    title: 'ddclient',
    where: say('recipes.ddclient'),
    text: `daemon=300
ssl=${isSecure ? 'yes' : 'no'}
protocol=dyndns2
usev4=webv4, webv4=${scheme}://${host}/nic/checkip
server=${host}
login=${user}
password='${password}'
${name}
`,
    note: say('recipes.ddclient-note'),
  };
}

/** @param {Values} values */
function inadyn({ host, isSecure, user, password, name }) {
  return {
    id: 'inadyn',
    title: 'inadyn',
    where: say('recipes.inadyn'),
    text: `period = 300

custom mediastreamer {
    username       = ${user}
    password       = "${password}"
    hostname       = "${name}"
    ddns-server    = "${host}"
    ddns-path      = "/nic/update?hostname=%h&myip=%i"
    ddns-response  = { good, nochg }
    ssl            = ${isSecure}
    checkip-server = "${host}"
    checkip-path   = "/nic/checkip"
    checkip-ssl    = ${isSecure}
}
`,
    note: null,
  };
}

/** @param {Values} values */
function openWrt({ host, isSecure, user, password, name }) {
  const scheme = isSecure ? 'https' : 'http';
  const lines = [
    ['', 'service'],
    ['.enabled', '1'],
    ['.use_ipv6', '0'],
    ['.lookup_host', host.replace(/:\d+$/, '')],
    ['.domain', name],
    ['.username', user],
    ['.password', password],
    ['.update_url', `${scheme}://[USERNAME]:[PASSWORD]@${host}/nic/update?hostname=[DOMAIN]&myip=[IP]`],
    ...(isSecure
      ? [
          ['.use_https', '1'],
          ['.cacert', '/etc/ssl/certs'],
        ]
      : []),
    ['.ip_source', 'web'],
    ['.ip_url', `${scheme}://${host}/nic/checkip`],
    ['.interface', 'wan'],
    ['.check_interval', '10'],
    ['.check_unit', 'minutes'],
  ].map(([option, value]) => `uci set ddns.mediastreamer${option}='${value}'`);
  return {
    id: 'openwrt',
    title: 'OpenWrt',
    where: say('recipes.openwrt'),
    text: `${lines.join('\n')}\nuci commit ddns\n/etc/init.d/ddns enable\n/etc/init.d/ddns restart\n`,
    note: say('recipes.openwrt-note'),
  };
}

/** @param {Values} values */
function fritzBox({ host, isSecure, user, password, name }) {
  const scheme = isSecure ? 'https' : 'http';
  return {
    id: 'fritzbox',
    title: 'FRITZ!Box',
    where: say('recipes.fritzbox'),
    text: [
      `${say('recipes.fritzbox-url')}: ${scheme}://<username>:<pass>@${host}/nic/update?hostname=<domain>&myip=<ipaddr>`,
      `${say('recipes.fritzbox-domain')}: ${name}`,
      `${say('recipes.fritzbox-user')}: ${user}`,
      `${say('recipes.fritzbox-password')}: ${password}`,
      '',
    ].join('\n'),
    note: say('recipes.fritzbox-note'),
  };
}

/** @param {Values} values */
function asus({ host, isSecure, user, password, name }) {
  const scheme = isSecure ? 'https' : 'http';
  return {
    id: 'asus',
    title: 'ASUS with Merlin',
    where: say('recipes.asus'),
    text: `#!/bin/sh
# The firmware hands over the new address.
reply=$(curl -fsS -m 30 -u '${user}:${password}' \\
  "${scheme}://${host}/nic/update?hostname=${name}&myip=$1")
case "$reply" in
  good*|nochg*) /sbin/ddns_custom_updated 1 ;;
  *) /sbin/ddns_custom_updated 0 ;;
esac
`,
    note: say('recipes.asus-note'),
  };
}
