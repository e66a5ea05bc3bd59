# docker build -t mediastreamer . && docker run --network host mediastreamer --help
#
# An edge wants the host's network: behind a bridge's NAT every client has one address. Where all capabilities are
# dropped, add NET_BIND_SERVICE again: without it the kernel does not start this image's node.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY src ./src
COPY config ./config
# Node names the folder of compiled code after the user who runs it. It is root's in the end, so that the service
# cannot change its own code.
RUN install -d -o 10001 -g 10001 node_modules/.cache
USER 10001
RUN node src/main.ts compile
USER root
RUN chown -R root:root node_modules/.cache && chmod -R a+rX node_modules/.cache

# Without npm and its kin, and with one copy of node: a capability set in a layer of its own would make it two.
FROM debian:bookworm-slim
RUN --mount=type=bind,from=build,source=/usr/local/bin/node,target=/mnt/node \
    apt-get update \
 && apt-get install --yes --no-install-recommends libcap2-bin \
 && install -m 0755 /mnt/node /usr/local/bin/node \
 && setcap cap_net_bind_service=+ep /usr/local/bin/node \
 && apt-get purge --yes --auto-remove libcap2-bin \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 mediastreamer \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin mediastreamer \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/mediastreamer \
 && node --version
RUN printf '%s\n' '#!/bin/sh' '[ "$1" = mediastreamer ] && shift' \
      'exec node --max-semi-space-size=8 /app/src/main.ts "$@"' > /usr/local/bin/mediastreamer \
 && chmod 0755 /usr/local/bin/mediastreamer
COPY --from=build /app /app
WORKDIR /app
ENV NODE_ENV=production \
    MEDIASTREAMER_CONFIG=/app/config/production.yaml \
    MEDIASTREAMER_HEALTH_URL=http://127.0.0.1:9153/healthz
USER 10001:10001
VOLUME /var/lib/mediastreamer
EXPOSE 53/udp 53/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "require('node:http').get(process.env.MEDIASTREAMER_HEALTH_URL, (reply) => process.exit(reply.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["mediastreamer"]
