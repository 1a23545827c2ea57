# pgmend in a container: small, not root, with the client libraries inside. No server is in it: a contract of SQL or
# migrations needs --scratch, or the image with the embedded server (--build-arg INSTALL=full).
#   docker build -t pgmend .
#   docker run --rm -e DATABASE_URL pgmend check
#   docker run --rm -e DATABASE_URL -v "$PWD:/work:ro" pgmend check --contract app.models:Base
# BASE is any image with Debian's or Python's own python3 (3.11 or later) and its venv.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ARG INSTALL=lean
# Client libraries come in the wheels: psycopg2 is ours; psycopg, asyncpg and pg8000 are what your models may name.
ARG DRIVERS="psycopg[binary] asyncpg pg8000"
COPY pyproject.toml README.md LICENSE /src/
COPY fixer /src/fixer
COPY contracts /src/contracts
COPY fixtures /src/fixtures
RUN python3 -m venv /opt/pgmend \
 && if [ "$INSTALL" = full ]; then /opt/pgmend/bin/pip install --no-cache-dir /src; \
    else /opt/pgmend/bin/pip install --no-cache-dir --no-deps /src \
      && /opt/pgmend/bin/pip install --no-cache-dir click psycopg2-binary rich sqlalchemy; fi \
 && /opt/pgmend/bin/pip install --no-cache-dir alembic $DRIVERS \
 && /opt/pgmend/bin/pip uninstall -y -q pip \
 && find /opt/pgmend -name __pycache__ -prune -exec rm -rf {} +

FROM ${BASE}
RUN useradd --uid 65532 --no-create-home --shell /usr/sbin/nologin pgmend \
 && install -d -o 65532 /work
COPY --from=build /opt/pgmend /opt/pgmend
ENV PATH=/opt/pgmend/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
# By its number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532
# Where your models or SQL are mounted; the current directory is importable.
WORKDIR /work
ENTRYPOINT ["fixer"]
CMD ["check"]
