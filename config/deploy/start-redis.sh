#!/bin/sh
# Starts Redis with a configuration file (further arguments go to redis-server), after two checks:
#
# 1. The ACL leaves the user `default` all rights. Redis loads its append-only file as this user, and silently drops
#    every change that the user may not make (redis/redis#14541): acknowledged registrations would be lost, and erased
#    ones would come back. `user default reset off ~* &* +@all` lets no client log in and loads the file.
# 2. The append-only file ends with a whole change. A crash can leave half of one. Redis drops such a half by itself
#    (aof-load-truncated), but up to 7.2 at least it leaves the MULTI before it in the file, and the start after the next
#    runs the half together with a later change (valkey-io/valkey#4342). redis-check-aof cuts before the MULTI. At most
#    one change is cut: if more of the file is damaged, Redis is not started and nothing is changed. Then restore a
#    backup, or repair the file by hand, and run `mediastreamer registry adopt`.
set -eu

CONF=$1
MOST_BYTES=1048576
# CONFIG REWRITE, which Sentinel uses, puts paths in quotes.
setting() { sed -n "s/^$1 //p" "$CONF" | tail -n 1 | tr -d '"'; }

# Prints what the rules of a user take away from loading the file, by the order of the rules.
missing_rights() {
  commands=yes keys=yes
  for rule in "$@"; do
    case $rule in
      reset) commands=no keys=no ;;
      +@all | allcommands) commands=yes ;;
      -@all | nocommands | -@write | -@transaction | -multi | -exec | -hset | -set | -xadd) commands=no ;;
      '~*' | allkeys) keys=yes ;;
      resetkeys) keys=no ;;
    esac
  done
  [ $commands = yes ] || printf ' +@all'
  [ $keys = yes ] || printf ' ~*'
}

ACL=$(setting aclfile)
set -f
for file in "$CONF" ${ACL:+"$ACL"}; do
  while read -r word user rules; do
    [ "$word $user" = 'user default' ] || continue
    # shellcheck disable=SC2086
    missing=$(missing_rights $rules)
    [ -z "$missing" ] && continue
    echo "start-redis: $file: the user 'default' lacks$missing: Redis would drop acknowledged changes when it loads its file." >&2
    echo "start-redis: write: user default reset off ~* &* +@all" >&2
    exit 1
  done < "$file"
done
set +f

for manifest in "$(setting dir)"/appendonlydir/*.manifest; do
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
exec redis-server "$@"
