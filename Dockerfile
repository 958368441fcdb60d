# One image for all roles. Any Debian-like base with Python 3.11 or later will do:
#   docker build --build-arg BASE=debian:trixie-slim -t cdi .
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS dependencies
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements requirements
RUN python3 -m venv /opt/cdi \
    && /opt/cdi/bin/pip install --no-cache-dir --require-hashes \
        -r requirements/build.lock -r requirements/worker.lock -r requirements/control.lock

FROM dependencies AS build
COPY pyproject.toml README.md LICENSE ./
COPY cdi cdi
COPY importer importer
COPY cloner cloner
COPY uploadproxy uploadproxy
COPY storageprofiles storageprofiles
# Into a tree of its own: a change of our code then is one small layer of the image.
RUN /opt/cdi/bin/pip install --no-cache-dir --no-deps --no-build-isolation --root /ours . \
    && mkdir -p /ours/usr/bin \
    && for program in $(ls /ours/opt/cdi/bin); do ln -s "/opt/cdi/bin/$program" "/ours/usr/bin/$program"; done \
    && ln -s cdi-cloner /ours/usr/bin/cloner_startup.sh

FROM dependencies AS lean
# The installer is of no use to a worker, and one thing less to keep patched.
RUN /opt/cdi/bin/pip uninstall -y setuptools pip

FROM ${BASE}
# qemu-utils and libmagic1 for rare formats and for wording; sh, coreutils and tar for helper pods that clients start;
# util-linux (in every Debian) gives them blockdev. Their scripts are written for images in which sh is bash: arrays in
# them are a syntax error to Debian's dash.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        bash ca-certificates libmagic1 openssl python3 qemu-utils tar util-linux \
    && rm -rf /var/lib/apt/lists/* \
    && ln -sf bash /bin/sh
COPY --from=lean /opt/cdi /opt/cdi
COPY --from=build /ours /
# Kubernetes runs workers as 107; this is for everything else.
USER 1001
ENV PYTHONUNBUFFERED=1
# The programs handle SIGTERM themselves, also as process 1: no init is needed.
CMD ["cdi", "--help"]
