#!/bin/sh
# Starts a Sentinel beside a node of Redis:
#
#   start-sentinel.sh DIRECTORY          (further arguments go to redis-server)
#
# Sentinel writes what it learns into its configuration, so it runs on DIRECTORY/sentinel.conf, which must be writable. The
# first start makes it of the sentinel.conf beside this script and of these variables; later starts keep it:
#
#   MEDIASTREAMER_SENTINEL           address and port of this Sentinel, such as 10.0.0.5:26379
#   MEDIASTREAMER_FIRST_PRIMARY      the node of Redis that is the primary at first, such as 10.0.0.5:6379
#   MEDIASTREAMER_SENTINEL_PASSWORD  password of the user `sentinel`, in users.acl and among Sentinels
#   MEDIASTREAMER_LOOKUP_PASSWORD    password with which controls and edges ask the Sentinels
set -eu

DIRECTORY=$1
shift
CONF=$DIRECTORY/sentinel.conf

sha256() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

if [ ! -e "$CONF" ]; then
  SENTINEL=${MEDIASTREAMER_SENTINEL:?ADDRESS:PORT of this Sentinel}
  PRIMARY=${MEDIASTREAMER_FIRST_PRIMARY:?ADDRESS:PORT of the first primary}
  PASSWORD=${MEDIASTREAMER_SENTINEL_PASSWORD:?password of the user sentinel}
  LOOKUP=${MEDIASTREAMER_LOOKUP_PASSWORD:?password of the user lookup}
  umask 077
  sed -e "s/\bPRIMARY_ADDRESS\b/${PRIMARY%:*}/" -e "s/\bPRIMARY_PORT\b/${PRIMARY##*:}/" \
    -e "s/\bADDRESS\b/${SENTINEL%:*}/" -e "s/\bPORT\b/${SENTINEL##*:}/" -e "s|\bDIRECTORY\b|$DIRECTORY|" \
    -e "s/\bSENTINEL_HASH\b/$(sha256 "$PASSWORD")/" -e "s/\bLOOKUP_HASH\b/$(sha256 "$LOOKUP")/" \
    -e "s/\bSENTINEL_PASSWORD\b/$PASSWORD/" "$(dirname "$0")/sentinel.conf" > "$CONF.new"
  mv "$CONF.new" "$CONF"
fi
exec redis-server "$CONF" --sentinel "$@"
