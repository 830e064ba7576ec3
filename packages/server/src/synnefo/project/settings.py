"""Django's settings, derived from the registry in `synnefo.common.settings`. Operators never edit this file."""

from __future__ import annotations

import importlib
from pathlib import Path
from urllib.parse import unquote, urlparse

from synnefo.common import app_settings as _common_settings  # noqa: F401 - declares
from synnefo.common.settings import conf

for _service in ("astakos", "pithos", "cyclades"):
    importlib.import_module(f"synnefo.{_service}.app_settings")
conf.load()


def _database(url: str) -> dict[str, object]:
    parsed = urlparse(url)
    if parsed.scheme == "sqlite":
        # An immediate transaction takes the write lock at BEGIN, so that a read never has to be upgraded (and fail).
        # synchronous=FULL: a commit that was answered survives a power cut.
        return {
            "ENGINE": "django.db.backends.sqlite3", "NAME": parsed.path[1:] if parsed.path.startswith("//") else parsed.path,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30,
                        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"},
            # A file, so that tests with threads see one database.
            "TEST": {"NAME": f"{parsed.path}-tests"},
        }
    if parsed.scheme in {"postgresql", "postgres"}:
        return {
            "ENGINE": "django.db.backends.postgresql", "NAME": parsed.path.lstrip("/"),
            "USER": unquote(parsed.username or ""), "PASSWORD": unquote(parsed.password or ""),
            "HOST": parsed.hostname or "", "PORT": str(parsed.port or ""),
            "OPTIONS": {"pool": {"min_size": 1, "max_size": conf.DATABASE_POOL_SIZE, "timeout": 30},
                        "options": "-c lock_timeout=10s"},
        }
    raise ValueError(f"DATABASE_URL: unknown kind {parsed.scheme!r}; use sqlite: or postgresql:")


def _cache(url: str) -> dict[str, object]:
    parsed = urlparse(url)
    if parsed.scheme == "locmem":
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if parsed.scheme == "memcached":
        return {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": parsed.netloc}
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}


DEBUG = conf.DEBUG
SECRET_KEY = conf.SECRET_KEY
ALLOWED_HOSTS = conf.ALLOWED_HOSTS
CSRF_TRUSTED_ORIGINS = conf.CSRF_TRUSTED_ORIGINS
ROOT_URLCONF = "synnefo.project.urls"
WSGI_APPLICATION = "synnefo.project.wsgi.application"
APPEND_SLASH = False  # a redirect would lose the body of a POST
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": _database(conf.DATABASE_URL)}
CACHES = {"default": _cache(conf.CACHE_URL)}

_SERVICE_APPS = {
    "astakos": ["synnefo.astakos.quotaholder", "synnefo.astakos"],
    "pithos": ["synnefo.pithos"],
    "cyclades": ["synnefo.cyclades"],
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    *(app for service in conf.SYNNEFO_SERVICES for app in _SERVICE_APPS[service]),
    "synnefo.web",
    "synnefo.project.apps.ProjectConfig",
]
# A host without astakos has no users of its own; Django's sessions still want a table for them.
AUTH_USER_MODEL = "astakos.User" if "astakos" in conf.SYNNEFO_SERVICES else "auth.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
MIDDLEWARE = [
    "synnefo.common.middleware.RequestContext",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "synnefo.web.middleware.PageHeaders",
    *(["synnefo.astakos.ui.middleware.AuthCookie", "synnefo.astakos.ui.terms.TermsGate",
       "synnefo.astakos.ui.security.SecondFactorGate"] if "astakos" in conf.SYNNEFO_SERVICES else []),
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [conf.TEMPLATES_DIR],
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
        "synnefo.web.context.frame",
        *(["synnefo.astakos.ui.frame.frame"] if "astakos" in conf.SYNNEFO_SERVICES else []),
    ]},
}]
PASSWORD_RESET_TIMEOUT = 24 * 3600
CSRF_FAILURE_VIEW = "synnefo.web.views.errors.csrf_failure"
EMAIL_BACKEND = conf.EMAIL_BACKEND
EMAIL_FILE_PATH = conf.EMAIL_FILE_PATH or None
EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = conf.EMAIL_HOST, conf.EMAIL_PORT, conf.EMAIL_TIMEOUT
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = conf.EMAIL_HOST_USER, conf.EMAIL_HOST_PASSWORD
EMAIL_USE_TLS, EMAIL_USE_SSL = conf.EMAIL_USE_TLS, conf.EMAIL_USE_SSL
SERVER_EMAIL, DEFAULT_FROM_EMAIL = conf.SERVER_EMAIL, conf.DEFAULT_FROM_EMAIL
STATIC_URL = "/static/"
# noVNC comes from Debian's package; the console page loads it from here.
STATICFILES_DIRS = [("novnc", conf.NOVNC_DIR)] if Path(conf.NOVNC_DIR).is_dir() else []
WHITENOISE_USE_FINDERS = True  # a one-box site needs no collectstatic
WHITENOISE_AUTOREFRESH = False
# A cache of each process's own would go on serving sessions that another process has ended.
SESSION_ENGINE = conf.SESSION_ENGINE or ("django.contrib.sessions.backends.db" if conf.CACHE_URL.startswith("locmem:")
                                         else "django.contrib.sessions.backends.cached_db")
SESSION_COOKIE_SECURE = conf.SESSION_COOKIE_SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = conf.SESSION_COOKIE_SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LOGGING_CONFIG = None  # synnefo.common.logging does it
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
LOGIN_URL = "/astakos/ui/login"
