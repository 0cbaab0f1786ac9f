# `make verify-image` follows these steps without Docker. Use only instructions that scripts/verify-image knows.
# The digest of the tag's index, which has every platform. docs/operations.md says how to renew both.
ARG BASE=python:3.11.16-slim-trixie@sha256:be1575ed968de893bd54f4c56315ff7c4736ce522c1bca08fd521731aafc0d76
FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv /opt/atelier
COPY requirements/run.txt requirements/run.txt
RUN /opt/atelier/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements/run.txt
COPY LICENSE README.md pyproject.toml ./
# Not the sandbox: it is for trying and testing the bot.
COPY bot bot
COPY cogs cogs
COPY db db
RUN /opt/atelier/bin/python -m pip wheel --no-build-isolation --no-deps --no-index --wheel-dir dist .
RUN /opt/atelier/bin/python -m pip install --no-deps --no-index dist/*.whl

FROM ${BASE}
# The base has no compiled library, and the bot's user cannot write one: each start, health check and decoder process
# would compile what it imports.
RUN python -m compileall -q -x '/(ensurepip|idlelib|lib2to3|pydoc_data|site-packages|tests?|tkinter|turtledemo)/' "$(python -c 'import os; print(os.path.dirname(os.__file__))')"
COPY --from=build /opt/atelier /opt/atelier
# The user needs no name, only a number that owns the data and nothing else.
RUN install -d -o 10001 -g 10001 /app/data
WORKDIR /app
ENV PATH=/opt/atelier/bin:/usr/local/bin:/usr/bin:/bin
ENV PYTHONUNBUFFERED=1
ENV DATA_DIR=/app/data
ENV HTTP_HOST=0.0.0.0
USER 10001:10001
VOLUME /app/data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, urllib.request as web; web.build_opener(web.ProxyHandler({})).open('http://127.0.0.1:' + (os.environ.get('HEALTH_PORT') or os.environ.get('HTTP_PORT') or '8080') + '/healthz', timeout=4)"]
ENTRYPOINT ["atelier"]
CMD ["run"]
