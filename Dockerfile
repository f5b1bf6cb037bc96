# The site for a server: dependencies are built in one stage, the second holds only what runs.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install -r requirements.txt

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 BIND_ADDRESS=0.0.0.0 PORT=8000
# pg_dump and pg_restore, for backups.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home council
WORKDIR /srv/council
COPY --from=build /opt/venv /opt/venv
# Compiled once, since the containers cannot write beside the sources.
RUN python -m compileall -q /opt/venv/lib
COPY manage.py ./
COPY council_site council_site
COPY councils councils
COPY analytics analytics
COPY templates templates
COPY static static
COPY locale locale
COPY deploy/probe.py deploy/probe.py
# Collecting needs settings, not the site's secrets: these are made for this one command and kept nowhere.
RUN SECRET_KEY=$(python -c "from secrets import token_hex; print(token_hex(32))") \
    FIELD_ENCRYPTION_KEYS=$(python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())") \
    python manage.py collectstatic --no-input \
    && python -m compileall -q council_site councils analytics \
    && install -d -o council -g council var
USER council
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/probe.py", "/healthz"]
CMD ["python", "manage.py", "serve"]
