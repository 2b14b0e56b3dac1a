# Two images:
#
#   docker build -t ordersync .                            the program, for a ClickHouse of your own
#   docker build -t ordersync:embedded --target embedded . and an embedded ClickHouse beside it, with its data in /data
#
#   docker run --read-only -v ./ordersync.yaml:/etc/ordersync/ordersync.yaml:ro -p 9464:9464 ordersync
#   docker run --rm ordersync:embedded demo
#
# In a container the configuration wants http.listen: 0.0.0.0:9464 and, in the second image, clickhouse.embedded:
# /data/ordersync. Both run as the user 65532, and nothing needs to be writable but /data, and /tmp for demo.
#
# A mirror's images go in by --build-arg. The last one may be any that has a glibc, one without a shell too (such as
# distroless/base-debian12): no command is run in it to build.
ARG GO_IMAGE=golang:1.26-bookworm
ARG NODE_IMAGE=node:24-bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=devel
# Without cgo, and yet it needs a glibc: purego, which loads the embedded ClickHouse, links to it dynamically.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath \
        -ldflags "-s -w -X github.com/ordersync/ordersync/cmd/internal/app.version=${VERSION}" \
        -o /out/bin/ordersync ./cmd/ordersync \
    && mkdir /out/data

# The engine, as sink/embedded pins it. For arm64 no hash is pinned; there npm's own check against its registry has to do.
FROM ${NODE_IMAGE} AS engine
ARG CHDB_VERSION=26.7.3-stable.1
ARG CHDB_SHA256=c0d32b129e988f2b9a9a31c9141aecf5e1e2453f9a079efc4d36ab8e3f92b2ad
WORKDIR /engine
RUN case "$(uname -m)" in \
        x86_64) arch=x64; pinned="${CHDB_SHA256}  engine.tgz" ;; \
        aarch64) arch=arm64; pinned= ;; \
        *) echo "there is no embedded ClickHouse for $(uname -m)" >&2; exit 1 ;; \
    esac \
    && npm pack --loglevel error --ignore-scripts "@chdb/lib-linux-${arch}-gnu@${CHDB_VERSION}" \
    && mv *.tgz engine.tgz \
    && { [ -z "$pinned" ] || echo "$pinned" | sha256sum --check; } \
    && tar --extract --file engine.tgz --strip-components=1 --no-same-owner package/libchdb.so \
    && chmod 0644 libchdb.so \
    && rm -rf engine.tgz ~/.npm

FROM ${BASE_IMAGE} AS runtime
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/bin/ordersync /usr/local/bin/ordersync
ENV ORDERSYNC_CONFIG=/etc/ordersync/ordersync.yaml
USER 65532:65532
EXPOSE 9464
HEALTHCHECK --start-period=60s CMD ["ordersync", "healthcheck"]
ENTRYPOINT ["ordersync"]
CMD ["run"]

FROM runtime AS embedded
COPY --from=engine /engine/libchdb.so /usr/lib/ordersync/libchdb.so
COPY --from=build --chown=65532:65532 /out/data /data
ENV ORDERSYNC_CHDB=/usr/lib/ordersync/libchdb.so
WORKDIR /data
VOLUME /data

# The last stage is what is built when no target is named.
FROM runtime AS ordersync
