#!/bin/sh
# Starts Redis as one of three nodes that Sentinels watch:
#
#   start-redis-node.sh DIRECTORY        (further arguments go to redis-server)
#
# Sentinel has Redis rewrite its configuration at a failover, so Redis runs on DIRECTORY/redis.conf, which must be writable.
# The first start makes it of the redis.conf beside this script and of these variables:
#
#   MEDIASTREAMER_NODE              address and port at which the others reach this node, such as 10.0.0.5:6379
#   MEDIASTREAMER_FIRST_PRIMARY     the node that is the primary at first, in the same form on all three
#   MEDIASTREAMER_REPLICA_PASSWORD  password of the user `replica` in users.acl
#
# Later starts keep it: edit DIRECTORY/redis.conf, or remove it on a replica to have it made anew. Removing it on the node
# that was the first primary, while another one is, makes a second primary until the Sentinels correct it.
set -eu

DIRECTORY=$1
shift
HERE=$(dirname "$0")
CONF=$DIRECTORY/redis.conf

if [ ! -e "$CONF" ]; then
  NODE=${MEDIASTREAMER_NODE:?ADDRESS:PORT of this node}
  PRIMARY=${MEDIASTREAMER_FIRST_PRIMARY:?ADDRESS:PORT of the first primary}
  PASSWORD=${MEDIASTREAMER_REPLICA_PASSWORD:?password of the user replica}
  umask 077
  {
    sed -e '/^bind /d' -e '/^port /d' -e '/^dir /d' "$HERE/redis.conf"
    echo
    echo "# This node."
    echo "bind ${NODE%:*}"
    echo "port ${NODE##*:}"
    echo "dir $DIRECTORY"
    echo "replica-announce-ip ${NODE%:*}"
    echo "replica-announce-port ${NODE##*:}"
    echo "masteruser replica"
    echo "masterauth $PASSWORD"
    # A primary that has lost both replicas takes no changes after 10 s. redis.waitReplicas is what keeps them from being
    # lost: a frozen replica passes this check.
    echo "min-replicas-to-write 1"
    echo "min-replicas-max-lag 10"
    [ "$NODE" = "$PRIMARY" ] || echo "replicaof ${PRIMARY%:*} ${PRIMARY##*:}"
  } > "$CONF.new"
  mv "$CONF.new" "$CONF"
fi
exec sh "$HERE/start-redis.sh" "$CONF" "$@"
