"""URLs of astakos, below its base URL's path."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

from synnefo.astakos.api import admin, oauth2, openapi, tempauth
from synnefo.astakos.api.http import endpoint, whatever
from synnefo.astakos.api.identity_v2 import unknown, versions
from synnefo.astakos.ui import views, weblogin
from synnefo.common.settings import conf

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.index),
    path("ui", views.index),
    path("ui/", include("synnefo.astakos.ui.urls")),
    path("weblogin", weblogin.slashless),
    path("weblogin/", weblogin.index),
    path("weblogin/login", weblogin.login, name="astakos-weblogin"),
    path("login", weblogin.moved, {"name": "astakos-weblogin"}),
    path("im/logout", weblogin.moved, {"name": "astakos-logout"}),
    path("im/profile", weblogin.moved, {"name": "astakos-profile"}),
    path("im/password", weblogin.moved, {"name": "astakos-password-change"}),
    path("im/send_feedback", weblogin.moved, {"name": "astakos-feedback"}),
    re_path(r"^admin/stats/?$", endpoint(GET=admin.stats)),
    re_path(r"^admin/stats/detail/?$", endpoint(GET=admin.detailed_stats)),
    path("openapi.json", openapi.view),
    re_path(r"^auth/v1(?:\.0)?/?$", endpoint("plain", GET=tempauth.authenticate)),
    path(".well-known/openid-configuration", endpoint(GET=oauth2.discovery)),
    path(f"{conf.OAUTH2_ENDPOINT_PREFIX.strip('/')}/", include("synnefo.astakos.api.oauth2_urls")),
    path("identity", endpoint(GET=versions)),
    path("identity/", include("synnefo.astakos.api.identity_urls")),
    path("account/v1.0/", include("synnefo.astakos.api.quota_urls")),
    path("account/v1.0/", include("synnefo.astakos.api.project_urls")),
    path("account/v1.0/", include("synnefo.astakos.api.account_urls")),
    re_path(r"^account(?:/(?P<rest>[\s\S]*))?$", whatever(unknown)),
]
