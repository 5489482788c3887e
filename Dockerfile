# One image per process family: SERVICE is identity, registry, keys, metrics, portal or deploy. Every dependency comes from uv.lock with its
# hash, uv itself included; each image holds the environment of its own member alone. It starts as a user that owns nothing.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
# Bytecode that does not name the time of its source, and is the same each time it is made.
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/venv PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY uv.lock deploy/pin.py ./
RUN python3 pin.py uv uv.lock > uv.txt && python3 -m venv /uv && /uv/bin/pip install --quiet --require-hashes -r uv.txt
COPY pyproject.toml ./
COPY client/pyproject.toml client/
COPY shared/pyproject.toml shared/
COPY services/identity/pyproject.toml services/identity/
COPY services/registry/pyproject.toml services/registry/
COPY services/keys/pyproject.toml services/keys/
COPY services/metrics/pyproject.toml services/metrics/
COPY portal/pyproject.toml portal/
COPY deploy/pyproject.toml deploy/
# Everything that any of us needs is fetched once, in a layer that all images share while they are built and none of them keeps.
RUN UV_PROJECT_ENVIRONMENT=/all UV_LINK_MODE=hardlink /uv/bin/uv sync --frozen --no-dev --no-install-workspace --all-packages && rm -r /all
ARG SERVICE
# Our own packages are copied, not built: a build would bring a backend that the lock does not name.
RUN /uv/bin/uv sync --frozen --offline --no-dev --no-install-workspace --package latchkey-${SERVICE:?} && python3 -m compileall -q --invalidation-mode unchecked-hash /venv/lib
COPY client/latchkey client/latchkey
COPY shared shared
COPY services services
COPY portal portal
COPY deploy deploy
COPY stack/__init__.py stack/databases.py stack/topics.py stack/trouble.py stack/
RUN bash deploy/assemble.sh ${SERVICE} /app && python3 -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${PYTHON}
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10000:10000
ENTRYPOINT ["python", "-m"]
