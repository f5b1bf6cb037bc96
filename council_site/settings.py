"""Settings of the site. Everything an operator may change comes from the environment; ``.env.example`` documents each variable.

Two profiles: ``production`` (the default) demands its secrets and serves https only; ``local`` makes its own secrets in ``var/`` and serves
http to this machine.
"""

from pathlib import Path
from typing import Any

import django_stubs_ext
from celery.schedules import crontab
from csp.constants import NONE, SELF

from council_site import admin_look, keys
from council_site.databases import database
from council_site.env import Env, EnvError, host_and_port
from council_site.logs import logging_config
from council_site.redis import cache
from council_site.sqlite import use_safe_sqlite

use_safe_sqlite()
# Django's own classes take type arguments at run time too: ``ModelAdmin[Provider]``.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
ENV = Env.load(BASE_DIR)

SITE_PROFILE = ENV.choice("SITE_PROFILE", "production", among={"production", "local"})
LOCAL = SITE_PROFILE == "local"
DEBUG = ENV.boolean("DEBUG", False)
SECRET_KEY = keys.secret_key(ENV, VAR_DIR if LOCAL else None)
# The newest key first: it encrypts, the older ones still decrypt.
FIELD_ENCRYPTION_KEYS = keys.field_encryption_keys(ENV, VAR_DIR if LOCAL else None)
ALLOWED_HOSTS = ENV.items("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if LOCAL else [])
CSRF_TRUSTED_ORIGINS = ENV.items("CSRF_TRUSTED_ORIGINS")
# How many proxies in front of the site may add to X-Forwarded-For and say X-Forwarded-Proto; 0 trusts nobody.
TRUSTED_PROXY_COUNT = ENV.integer("TRUSTED_PROXY_COUNT", 0, least=0, most=10)
SIGNUP_ENABLED = ENV.boolean("SIGNUP_ENABLED", False)
BIND_ADDRESS = ENV.text("BIND_ADDRESS", "127.0.0.1")
PORT = ENV.integer("PORT", 8000, least=1, most=65535)
# How long the serving command waits for requests in flight when it is told to stop.
SHUTDOWN_GRACE_S = ENV.number("SHUTDOWN_GRACE_S", 20.0, least=0, most=600)
# The first user; without a password the first start makes a random one.
ADMIN_USERNAME = ENV.text("ADMIN_USERNAME", "admin")
ADMIN_PASSWORD = ENV.secret("ADMIN_PASSWORD")

ROOT_URLCONF = "council_site.urls"
ASGI_APPLICATION = "council_site.asgi.application"
WSGI_APPLICATION = "council_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "councils.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "councils",
    "analytics",
]

MIDDLEWARE = [
    "councils.web.health.HealthMiddleware",
    "councils.web.observing.ObservingMiddleware",
    "councils.web.metrics.ScrapeMiddleware",
    "councils.api.middleware.ApiAnswersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "council_site.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "councils.web.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "councils.web.acting.ActingMiddleware",
    "councils.web.throttling.RateLimitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

DATABASES = {
    "default": database(
        ENV.text("DATABASE_URL", f"sqlite:///{VAR_DIR / 'council.sqlite3'}"),
        pool_size=ENV.integer("DATABASE_POOL_SIZE", 16, least=2, most=500),
        statement_timeout_s=ENV.integer("DATABASE_STATEMENT_TIMEOUT_S", 120, least=0, most=86_400),
    )
}
REDIS_URL = ENV.text("REDIS_URL")
REDIS_CACHE_URL = ENV.text("REDIS_CACHE_URL", REDIS_URL)
CACHES = {"default": cache(REDIS_CACHE_URL), "responses": cache(REDIS_CACHE_URL, name="responses", quiet=False)}
# Nobody else on this machine reads the database or the secrets in it.
VAR_DIR.mkdir(mode=0o700, exist_ok=True)

LANGUAGE_CODE = "en"
# As ``councils.models.user.Language``; settings cannot import it.
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "language"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "council_site.formats"
USE_I18N = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = LOCAL
if LOCAL:
    # Nothing is collected here, but WhiteNoise looks for the directory.
    STATIC_ROOT.mkdir(exist_ok=True)

HTTPS = not LOCAL
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = ENV.integer("SECURE_HSTS_SECONDS", 31_536_000 if HTTPS else 0, least=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "councils.web.errors.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        # 'self' covers the page's own sockets too (CSP level 3).
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_RESULT_BACKEND = REDIS_URL or "cache+memory://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A running task is not sent again while it runs: prompt recovery is the work of the run's own lease, not of the broker.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 43_200,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "socket_keepalive": True,
}
# A request does not wait for a broker that is down: the scan for unowned runs finds what was not sent.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_RESULT_EXPIRES = 3600
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "councils.beat:StaffScheduler"
# Written into the database where it is missing, when beat starts or, without a broker, the site. From then on the rows are the staff's.
# A message that nobody has taken before the next one is due is not worth a second one.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "cleanup_expired_cache": {"task": "councils.tasks.cleanup_expired_cache", "schedule": crontab(minute=0)},
    "aggregate_model_analytics": {"task": "analytics.tasks.aggregate_model_analytics", "schedule": crontab(minute=30)},
    "health_check_models": {"task": "councils.tasks.health_check_models", "schedule": 300.0, "options": {"expire_seconds": 300}},
    "resend_unowned_runs": {"task": "councils.tasks.resend_unowned_runs", "schedule": 5.0, "options": {"expire_seconds": 5}},
}

RUN_ENGINE = ENV.choice("RUN_ENGINE", "embedded", among={"embedded", "celery"})
if RUN_ENGINE == "celery" and not REDIS_URL:
    raise EnvError("RUN_ENGINE is celery, but REDIS_URL is not set. Set it to redis://host:6379/0, or use RUN_ENGINE=embedded.")
RUN_LEASE_TTL_S = ENV.number("RUN_LEASE_TTL_S", 8.0, least=1)
RUN_HEARTBEAT_S = ENV.number("RUN_HEARTBEAT_S", 2.0, least=0.1)
# Below the hard limit of a Celery task, so that a run ends by its own rules.
RUN_DEADLINE_S = ENV.number("RUN_DEADLINE_S", 540.0, least=1, most=CELERY_TASK_TIME_LIMIT - 30)
# Token buckets: so many requests per window, so many of them at once. 0 requests: no limit.
RATE_LIMIT_REQUESTS = ENV.integer("RATE_LIMIT_REQUESTS", 100, least=0)
RATE_LIMIT_WINDOW_SECONDS = ENV.integer("RATE_LIMIT_WINDOW_SECONDS", 3600, least=1)
RATE_LIMIT_BURST = ENV.integer("RATE_LIMIT_BURST", 20, least=1)
# Pages, and requests of programs that only read: whoever follows a run sends many.
RATE_LIMIT_READ_REQUESTS = ENV.integer("RATE_LIMIT_READ_REQUESTS", 7200, least=0)
RATE_LIMIT_READ_BURST = ENV.integer("RATE_LIMIT_READ_BURST", 600, least=1)
QUESTION_MAX_CHARS = ENV.integer("QUESTION_MAX_CHARS", 200_000, least=1)
MIN_COUNCIL_MODELS = ENV.integer("MIN_COUNCIL_MODELS", 3, least=1)
DEFAULT_VOTING_SYSTEM = ENV.choice("DEFAULT_VOTING_SYSTEM", "ranked_choice", among={"ranked_choice", "weighted", "consensus"})
ENABLE_PEER_REVIEW = ENV.boolean("ENABLE_PEER_REVIEW", True)
PEER_REVIEW_ANONYMOUS = ENV.boolean("PEER_REVIEW_ANONYMOUS", True)

GENERATION_TIMEOUT = ENV.number("GENERATION_TIMEOUT", 120.0, least=1)
LLM_FIRST_TOKEN_TIMEOUT = ENV.number("LLM_FIRST_TOKEN_TIMEOUT", 60.0, least=1)
LLM_RESPONSE_TIMEOUT = ENV.number("LLM_RESPONSE_TIMEOUT", 30.0, least=1)
LLM_RETRY_MAX_ATTEMPTS = ENV.integer("LLM_RETRY_MAX_ATTEMPTS", 3, least=0, most=10)
LLM_RETRY_BASE_DELAY = ENV.number("LLM_RETRY_BASE_DELAY", 1.0, least=0)
LLM_RETRY_MAX_DELAY = ENV.number("LLM_RETRY_MAX_DELAY", 8.0, least=0)
LLM_MAX_RESPONSE_SIZE = ENV.integer("LLM_MAX_RESPONSE_SIZE", 50_000, least=1)
# What a budget holds for the answer of a model where neither its seat nor the model has a limit.
BUDGET_OUTPUT_TOKENS = ENV.integer("BUDGET_OUTPUT_TOKENS", 4096, least=1)
# Answers that need not be paid again, for so many seconds, and how many of them the database keeps.
ENABLE_CACHE = ENV.boolean("ENABLE_CACHE", True)
CACHE_LLM_TTL = ENV.integer("CACHE_LLM_TTL", 3600, least=1)
CACHE_MCP_TTL = ENV.integer("CACHE_MCP_TTL", 1800, least=1)
CACHE_INTENT_TTL = ENV.integer("CACHE_INTENT_TTL", 7200, least=1)
CACHE_MAX_SIZE = ENV.integer("CACHE_MAX_SIZE", 10_000, least=1)
# Hourly sums for the dashboard and reports. Switched off, the dashboard only tells of today.
ENABLE_ANALYTICS = ENV.boolean("ENABLE_ANALYTICS", True)
# What the first start builds a council from; the database owns providers afterwards.
OPENROUTER_API_KEY = ENV.secret("OPENROUTER_API_KEY")
OPENAI_API_KEY = ENV.secret("OPENAI_API_KEY")
ANTHROPIC_API_KEY = ENV.secret("ANTHROPIC_API_KEY")
OLLAMA_BASE_URL = ENV.text("OLLAMA_BASE_URL")
LOCAL_MODEL_PORT = ENV.integer("LOCAL_MODEL_PORT", 8089, least=1, most=65535)
# Private addresses that providers may have, as host:port: those that the operator named, here or above, and no other.
PRIVATE_PROVIDER_HOSTS = [
    *ENV.items("PRIVATE_PROVIDER_HOSTS"),
    *([host_and_port(OLLAMA_BASE_URL)] if OLLAMA_BASE_URL else []),
    *([f"127.0.0.1:{LOCAL_MODEL_PORT}"] if LOCAL else []),
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one names the scheme of a 401.
        "councils.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["councils.api.throttling.BucketThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["councils.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "councils.api.pagination.StrictPagination",
    "DEFAULT_SCHEMA_CLASS": "councils.api.schema.EnvelopeSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "councils.api.errors.envelope_handler",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "LLM Council",
    "DESCRIPTION": "Ask a council of language models, follow its deliberation, read the record.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    # In the order in which somebody new needs them.
    "TAGS": [
        {"name": "runs", "description": "Ask a council, follow it, read its record."},
        {"name": "councils", "description": "Who can be asked, and what a question would cost."},
        {"name": "conversations", "description": "What you have asked."},
        {"name": "usage", "description": "What you have spent, and what is left."},
        {"name": "models", "description": "The models behind the councils."},
        {"name": "tasks", "description": "Work in the background, whatever does it."},
        {"name": "health", "description": "For staff: whether all is well."},
        {"name": "cache", "description": "For staff: answers that are kept."},
    ],
    "ENUM_NAME_OVERRIDES": {
        "RunStatusEnum": "councils.api.choices.RUN_STATUSES",
        "StepStatusEnum": "councils.api.choices.STEP_STATUSES",
        "CallStatusEnum": "councils.api.choices.CALL_STATUSES",
        "VotingSystemEnum": "councils.api.choices.VOTING_SYSTEMS",
    },
}

# Figures for Prometheus: at /metrics of the site for who brings the token, and at a port of its own of each worker (0: none).
ENABLE_METRICS = ENV.boolean("ENABLE_METRICS", True)
METRICS_TOKEN = ENV.secret("METRICS_TOKEN")
METRICS_PORT = ENV.integer("METRICS_PORT", 0, least=0, most=65535)
METRICS_BIND_ADDRESS = ENV.text("METRICS_BIND_ADDRESS", BIND_ADDRESS)
# Where several processes of one host count together. The library reads the variable by itself, and needs the folder to be there.
PROMETHEUS_MULTIPROC_DIR = ENV.text("PROMETHEUS_MULTIPROC_DIR")
if PROMETHEUS_MULTIPROC_DIR:
    Path(PROMETHEUS_MULTIPROC_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
# Where traces go. The exporter reads its other OTEL_ variables by itself.
OTEL_EXPORTER_OTLP_ENDPOINT = ENV.text("OTEL_EXPORTER_OTLP_ENDPOINT")
ENABLE_TRACING = ENV.boolean("ENABLE_TRACING", bool(OTEL_EXPORTER_OTLP_ENDPOINT))

UNFOLD = admin_look.UNFOLD

LOG_LEVEL = ENV.choice("LOG_LEVEL", "INFO", among={"DEBUG", "INFO", "WARNING", "ERROR"})
LOGGING = logging_config(level=LOG_LEVEL, structured=not LOCAL)
