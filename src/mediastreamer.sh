#!/bin/sh
# The mediastreamer command. It becomes the service's process, so signals (SIGHUP, SIGTERM) go to its own pid.
source=$(dirname "$(readlink -f "$0")")
cache=$source/../node_modules/.cache/mediastreamer
export NODE_COMPILE_CACHE="$cache"
export MALLOC_ARENA_MAX=2 # one arena a thread would cost tens of MB

# Without compiled code each thread loads the type stripper (10 MB). Done once, where the installation is writable.
if [ ! -e "$cache/.compiled" ] && [ -w "$source/../node_modules" ]; then
  sh "$source/node.sh" "$source/main.ts" compile || exit
fi

# 8 MB for young objects: with less, those of queries in flight are copied again and again.
# SIGUSR1 opens no debugger: whoever may signal the process could read its memory through one.
exec sh "$source/node.sh" --max-semi-space-size=8 --disable-sigusr1 "$source/main.ts" "$@"
