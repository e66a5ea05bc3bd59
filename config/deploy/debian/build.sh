#!/bin/sh
# Builds dist/mediastreamer_VERSION_ARCH.deb: npm run package [-- amd64|arm64]. Needs npm and dpkg-deb, not root.
set -eu
cd "$(dirname "$(readlink -f "$0")")/../../.."

architecture=${1:-$(dpkg --print-architecture)}
case $architecture in
  amd64) cpu=x64 ;;
  arm64) cpu=arm64 ;;
  *) echo "no runtime for $architecture; expected amd64 or arm64" >&2; exit 2 ;;
esac
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 0755 "$stage"
umask 022

lib=$stage/usr/lib/mediastreamer
mkdir -p "$lib" "$stage/usr/bin" "$stage/lib/systemd/system" "$stage/etc/mediastreamer" \
  "$stage/usr/share/doc/mediastreamer" "$stage/DEBIAN"
cp package.json package-lock.json "$lib"
cp -R src config "$lib"
rm -rf "$lib/src/client/dist" "$lib/config/deploy/debian"
(cd "$lib" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --os=linux --cpu=$cpu --libc=glibc --silent)
# The runtime's headers and manual are not needed to run it.
rm -rf "$lib"/node_modules/node-linux-*/include "$lib"/node_modules/node-linux-*/share
[ -x "$lib/node_modules/node-linux-$cpu/bin/node" ] || { echo "npm installed no runtime for $cpu" >&2; exit 1; }

ln -s ../lib/mediastreamer/src/mediastreamer.sh "$stage/usr/bin/mediastreamer"
cp config/deploy/systemd/mediastreamer.service config/deploy/systemd/mediastreamer-*.socket "$stage/lib/systemd/system/"
cp config/production.yaml "$stage/etc/mediastreamer/config.yaml"
install -m 0640 config/deploy/debian/environment "$stage/etc/mediastreamer/environment"
cp LICENSE "$stage/usr/share/doc/mediastreamer/copyright"
cp config/deploy/README.md "$stage/usr/share/doc/mediastreamer/README.md"

cp config/deploy/debian/conffiles "$stage/DEBIAN/"
for script in postinst prerm postrm; do
  install -m 0755 "config/deploy/debian/$script" "$stage/DEBIAN/$script"
done
size=$(du -sk --exclude=DEBIAN "$stage" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" \
  config/deploy/debian/control > "$stage/DEBIAN/control"

# The commit's time for every file, so that the same commit gives the same package.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
mkdir -p dist
dpkg-deb --root-owner-group -Zxz -z2 --build "$stage" "dist/mediastreamer_${version}_$architecture.deb" >/dev/null
echo "dist/mediastreamer_${version}_$architecture.deb"
