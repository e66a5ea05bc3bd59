#!/bin/sh
# Runs Node with the given arguments: the pinned one that npm installed, else the host's, which must be 24.
# npm installs no pinned one on macOS or with --omit=optional, and the one it installs does not start on musl.
modules=$(dirname "$(readlink -f "$0")")/../node_modules
# Not node_modules/.bin/node: npm 10 removes it, because the package for the other architecture has the same name for it.
for pinned in "$modules"/node-linux-*/bin/node; do
  "$pinned" --version >/dev/null 2>&1 || continue
  PATH=${pinned%/node}:$PATH exec "$pinned" "$@"
done

# npm puts node_modules/.bin in front of PATH, where the node that does not start may be.
found=none
IFS=:
for folder in $PATH; do
  case $folder in */node_modules/.bin) continue ;; esac
  [ -x "$folder/node" ] || continue
  found=$("$folder/node" --version 2>/dev/null) || continue
  case $found in v24.*) exec "$folder/node" "$@" ;; esac
  break
done
echo "mediastreamer needs Node 24 in PATH where npm installs none (found: $found); see .node-version" >&2
exit 1
