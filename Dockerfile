# docker build -t mediastreamer . && docker run --network host mediastreamer --help
#
# An edge needs the host's network: behind a bridge's NAT every client has the same address. Where all capabilities are
# dropped, add NET_BIND_SERVICE back: the kernel refuses to start this image's node without it.
#
# Tags move. For a reproducible image give both bases by digest:
#   docker buildx imagetools inspect debian:bookworm-slim
#   docker build --build-arg BASE=debian@sha256:... --build-arg BUILD_BASE=node@sha256:... .
ARG BUILD_BASE=node:24-bookworm-slim
ARG BASE=debian:bookworm-slim

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY src ./src
COPY config ./config
# Node names the folder of compiled code after the user who runs it. Root owns it in the end, so that the service
# cannot change its own code.
RUN install -d -o 10001 -g 10001 node_modules/.cache
USER 10001
RUN sh src/mediastreamer.sh compile
USER root
RUN chown -R root:root node_modules/.cache && chmod -R a+rX node_modules/.cache
# The runtime is the one that package-lock.json pins, not the base image's.
RUN mv node_modules/node-linux-*/bin/node /usr/local/bin/node && rm -rf node_modules/.bin/node node_modules/node-linux-*

# No npm, and one copy of node: setting its capability in a later layer would store it twice.
FROM ${BASE}
LABEL org.opencontainers.image.title="MediaStreamer" \
      org.opencontainers.image.description="Smart DNS: edge, relay and control API" \
      org.opencontainers.image.licenses="MIT"
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
      'exec sh /app/src/mediastreamer.sh "$@"' > /usr/local/bin/mediastreamer \
 && chmod 0755 /usr/local/bin/mediastreamer
COPY --from=build /app /app
WORKDIR /app
ENV NODE_ENV=production \
    MEDIASTREAMER_CONFIG=/app/config/production.yaml \
    MEDIASTREAMER_HEALTH_URL=http://127.0.0.1:9153/healthz
USER 10001:10001
VOLUME /var/lib/mediastreamer
EXPOSE 53/udp 53/tcp 80/tcp 443/tcp 443/udp 853/tcp 8080/tcp 9153/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "require('node:http').get(process.env.MEDIASTREAMER_HEALTH_URL, (reply) => process.exit(reply.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["mediastreamer"]
