# The gateway in a container. It requires keys, because it listens on every address there.
#
#   docker build --tag mom-gateway .
#   docker run --env MOM_API_KEY=a-long-secret --publish 127.0.0.1:8000:8000 \
#     --volume mom-gateway:/var/lib/mom-gateway mom-gateway
#
# Mount your own configuration over /app/config.yaml; pass keys of upstreams by --env or --env-file. The volume contains
# the weights of embedded models (490 MB for that of deploy/container.yaml) and the store; nothing else is written.

FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt requirements-otel.txt requirements-redis.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: \
        -r requirements.txt -r requirements-otel.txt -r requirements-redis.txt \
    && /venv/bin/pip uninstall --yes --quiet setuptools pip
COPY gateway.py ./
COPY config ./config
COPY runtime ./runtime
COPY upstream ./upstream
COPY synth ./synth
COPY store ./store
COPY handlers ./handlers
COPY deploy/container.yaml ./config.yaml
RUN /venv/bin/python -m compileall -q . /venv/lib

FROM python:3.11-slim-bookworm
# libgomp: needed by llama.cpp, which only embedded models load. Debian has one version of it at a time.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/mom-gateway --shell /usr/sbin/nologin mom \
    && install --directory --owner mom --mode 0700 /var/lib/mom-gateway
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MOM_MODELS_DIR=/var/lib/mom-gateway/models \
    MOM_STATE_DIR=/var/lib/mom-gateway/state
USER 10001
VOLUME /var/lib/mom-gateway
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["/venv/bin/python", "gateway.py"]
