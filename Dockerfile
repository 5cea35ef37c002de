# One image for every service: the command says which. It runs as an unprivileged user and writes nothing to its disk.
FROM python:3.11-slim AS build
WORKDIR /app
RUN pip install --no-cache-dir uv
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --extra tracing --no-install-project
COPY schemas schemas
COPY services services
COPY studio studio
RUN uv sync --frozen --no-dev --extra tracing --no-editable

FROM python:3.11-slim
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /app/.venv /app/.venv
USER 10001:10001
ENTRYPOINT ["promotion"]
CMD ["--help"]
