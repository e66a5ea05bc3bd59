#!/bin/sh
# Starts Redis by the given redis.conf, after it has mended the end of its append-only file.
#
# A crash can leave half of a change there. Redis drops such a half by itself (aof-load-truncated), but up to 7.2 at
# least it leaves the MULTI before it in the file; at the next start but one the commands of that half are then done
# together with a later change (valkey-io/valkey#4342). redis-check-aof cuts before the MULTI.
#
# What is cut is no longer than a change: if more of the file is damaged, Redis is not started and nothing is changed.
# Then restore a backup, or mend it by hand, and say `mediastreamer registry adopt`.
set -eu

CONF=$1
MOST_BYTES=1048576
DIRECTORY=$(sed -n 's/^dir //p' "$CONF")

for manifest in "$DIRECTORY"/appendonlydir/*.manifest; do
  [ -e "$manifest" ] || continue
  if report=$(redis-check-aof "$manifest" 2>&1); then continue; fi
  bytes=$(printf '%s\n' "$report" | sed -n 's/.*diff=\([0-9]*\).*/\1/p' | tail -n 1)
  if [ -z "$bytes" ] || [ "$bytes" -gt "$MOST_BYTES" ]; then
    echo "start-redis: the append-only file is damaged; bytes behind the damage: ${bytes:-unknown}" >&2
    exit 1
  fi
  echo "start-redis: $bytes bytes at the end of the append-only file are half of a change and are cut" >&2
  echo y | redis-check-aof --fix "$manifest" > /dev/null
done
exec redis-server "$CONF"
