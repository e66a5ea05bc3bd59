/** The Debian package: built, then installed, run, upgraded and purged by dpkg over a copy of this system's root. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT, temporaryFolder } from '../../support/service.ts';

const VERSION: string = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;

/** Steps in the copy, each of which prints a line; what dpkg says goes to `log`. */
const STEPS = `
exec 3>&1 >/tmp/log 2>&1
say() { echo "$@" >&3; }
dpkg -i /tmp/first.deb && say installed
say "user $(getent passwd mediastreamer | cut -d: -f7)"
say "data $(stat -c '%U %a' /var/lib/mediastreamer)"
say "environment $(stat -c '%U:%G %a' /etc/mediastreamer/environment)"
say "compiled $(test -e /usr/lib/mediastreamer/node_modules/.cache/mediastreamer/.compiled && echo yes)"
say "foreign $(find /usr/lib/mediastreamer ! -user root | wc -l)"
say "help $(mediastreamer --help | grep -c check-config)"

# One host, one command. systemctl is a stub: systemd is not PID 1 here.
mkdir -p /run/systemd/system /tmp/ca
ip address add 45.76.10.10/32 dev lo && ip address add 45.76.10.11/32 dev lo
echo "127.0.0.1 localhost
45.76.10.10 dns.example.com
45.76.10.11 ca.example.com" > /etc/hosts
echo "nameserver 127.0.0.2" > /etc/resolv.conf
cat > /usr/local/bin/systemctl <<'STUB'
#!/bin/sh
echo "$@" >> /tmp/systemctl
case "$1 $2" in
"enable --now")
  cd /var/lib/mediastreamer
  setpriv --reuid mediastreamer --regid mediastreamer --clear-groups --no-new-privs \\
    --bounding-set -all,+net_bind_service --inh-caps +net_bind_service --ambient-caps +net_bind_service \\
    /usr/bin/mediastreamer serve --config /etc/mediastreamer/config.yaml > /tmp/hosted 2>&1 &
  echo $! > /tmp/pid ;;
"disable --now") kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid); do sleep 0.1; done ;;
esac
STUB
chmod 755 /usr/local/bin/systemctl
(cd /tmp/ca && HOME=/tmp/ca XDG_DATA_HOME=/tmp/ca exec caddy run --adapter caddyfile --config /tmp/Caddyfile) >/tmp/caddy 2>&1 &
CADDY=$!
for i in $(seq 300); do grep -q 'serving initial configuration' /tmp/caddy && break; kill -0 $CADDY || break; sleep 0.1; done
export NODE_EXTRA_CA_CERTS=/tmp/root.crt
cp /tmp/ca/caddy/pki/authorities/local/root.crt $NODE_EXTRA_CA_CERTS && chmod 644 $NODE_EXTRA_CA_CERTS
run_init() { mediastreamer init --domain dns.example.com --address 45.76.10.10 --acme https://ca.example.com:9443/acme/local/directory --yes; }
run_init > /tmp/init; say "init $?"
say "$(grep -o 'MediaStreamer runs at .*' /tmp/init)"
say "calls $(tr '\\n' ';' < /tmp/systemctl)"
systemd-analyze verify /lib/systemd/system/mediastreamer.service && say "unit verified"
say "page $(curl -s -o /dev/null -w '%{http_code}' --cacert $NODE_EXTRA_CA_CERTS https://dns.example.com/sign-in)"
run_init > /tmp/init; say "again $? $(grep -c 'nothing is changed' /tmp/init)"
mediastreamer init --undo > /tmp/init; say "undone $? $(grep -c 'config.yaml is as it was before' /tmp/init)"
say "$(tail -1 /tmp/systemctl)"
kill $CADDY; wait $CADDY
rm -r /usr/local/bin/systemctl /run/systemd/system; unset NODE_EXTRA_CA_CERTS

export MEDIASTREAMER_PUBLIC_URL=https://dns.example.com MEDIASTREAMER_RELAY_US=8.8.4.4 MEDIASTREAMER_RELAY_GB=9.9.9.9
sed -i 's/, "\\[::\\]:53"//' /etc/mediastreamer/config.yaml
mediastreamer check-config --config /etc/mediastreamer/config.yaml && say checked

# As the unit starts it.
cd /var/lib/mediastreamer
setpriv --reuid mediastreamer --regid mediastreamer --clear-groups --no-new-privs \\
  --bounding-set -all,+net_bind_service --inh-caps +net_bind_service --ambient-caps +net_bind_service \\
  mediastreamer serve --config /etc/mediastreamer/config.yaml > /tmp/service 2>&1 &
for i in $(seq 300); do grep -q '"msg":"ready"' /tmp/service && break; kill -0 $! || break; sleep 0.1; done
say "$(dig @127.0.0.1 +tries=2 +time=1 netflix.com | grep -o 'status: [A-Z]*')"
kill $!; wait $!; say "stopped $?"

dpkg -i /tmp/second.deb && say "upgraded to $(dpkg-query -W -f '\${Version}' mediastreamer)"
say "kept $(grep -c '^  udp: \\["0.0.0.0:53"\\]' /etc/mediastreamer/config.yaml)"
say "store $(ls /var/lib/mediastreamer | grep -c registry.db$)"
dpkg -r mediastreamer && say "removed $(ls /usr/lib/mediastreamer 2>/dev/null | wc -l)"
say "configuration $(ls /etc/mediastreamer | wc -l)"
dpkg -P mediastreamer && say "purged $(ls -d /etc/mediastreamer /var/lib/mediastreamer /usr/lib/mediastreamer 2>/dev/null | wc -l)"
`;

/** The CA that init orders from. */
const CADDYFILE = `
{
  admin off
  skip_install_trust
  auto_https disable_redirects
}
https://ca.example.com:9443 {
  bind 45.76.10.11
  tls internal
  acme_server
}
`;

/** Makes a copy of / in memory (an overlay), without this machine's network, and runs the steps in it. */
const IN_A_COPY = `
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/tmp"
ip link set lo up
cp "$2" "$1/root/tmp/first.deb"
printf %s "$4" > "$1/root/tmp/Caddyfile"
dpkg-deb -R "$2" "$1/next"
sed -i 's/^Version: .*/&+next/' "$1/next/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$1/next" "$1/root/tmp/second.deb" >/dev/null
printf %s "$3" > "$1/root/tmp/steps"
chroot "$1/root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh /tmp/steps
echo "--"
cat "$1/root/tmp/log" "$1/root/tmp/init" "$1/root/tmp/hosted" "$1/root/tmp/service"
`;

it.runIf(process.getuid?.() === 0)(
  'is installed, runs as its own user on port 53, keeps its configuration at an upgrade, and is purged',
  { timeout: 400_000 },
  () => {
    const build = spawnSync('sh', [join(ROOT, 'config/deploy/debian/build.sh')], {
      encoding: 'utf8',
      env: { ...process.env, npm_config_prefer_offline: 'true' },
    });
    expect({ status: build.status, ...(build.status !== 0 && { stderr: build.stderr }) }).toEqual({
      status: 0,
    });
    const file = build.stdout.trim().split('\n').at(-1)!;
    expect(file).toMatch(
      new RegExp(`^dist/mediastreamer_${VERSION.replaceAll('.', '\\.')}_(amd64|arm64)\\.deb$`),
    );
    const args = ['--mount', '--net', '--pid', '--fork', '--kill-child', 'sh', '-c', IN_A_COPY, 'sh'];
    const { stdout, stderr } = spawnSync(
      'unshare',
      [...args, temporaryFolder(), join(ROOT, file), STEPS, CADDYFILE],
      {
        encoding: 'utf8',
        timeout: 240_000,
      },
    );
    const [said, log] = stdout.split('--\n', 2);
    expect({ said: said.trim().split('\n'), log: '' }, `${log}${stderr}`).toEqual({
      said: [
        'installed',
        'user /usr/sbin/nologin',
        'data mediastreamer 700',
        'environment root:mediastreamer 640',
        'compiled yes',
        'foreign 0',
        'help 1',
        'init 0',
        'MediaStreamer runs at https://dns.example.com/',
        'calls daemon-reload;enable --now mediastreamer.service;',
        'unit verified',
        'page 200',
        'again 0 1',
        'undone 0 1',
        'disable --now mediastreamer.service',
        'checked',
        'status: REFUSED',
        'stopped 0',
        `upgraded to ${VERSION}+next`,
        'kept 1',
        'store 1',
        'removed 0',
        'configuration 2',
        'purged 0',
      ],
      log: '',
    });
  },
);
