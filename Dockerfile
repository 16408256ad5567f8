# The service and nothing else: no compiler, no uv, no embedded database, no tests. Runs as an unprivileged account on a
# read-only file system; takes its keys and passwords as files.

FROM python:3.11-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/opt/ketenbrug \
    UV_PYTHON_DOWNLOADS=never
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
# the dependencies first: they change less often than the code
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-install-project
COPY api api
COPY clients clients
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-editable

FROM python:3.11-slim-bookworm
COPY --from=build /opt/ketenbrug /opt/ketenbrug
COPY LICENSE /usr/share/doc/ketenbrug/LICENSE
ENV PATH=/opt/ketenbrug/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# where `ketenbrug work` keeps the signer guard, on a volume
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/ketenbrug
# a number, so that an orchestrator can see that it is not root
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["ketenbrug"]
CMD ["--help"]
