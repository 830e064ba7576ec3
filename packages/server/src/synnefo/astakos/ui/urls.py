"""Pages of astakos, below its base URL's `ui/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from synnefo.astakos.ui import oauth2, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.index, name="astakos-index"),
    path("login", views.login, name="astakos-login"),
    path("logout", views.logout, name="astakos-logout"),
    path("device", oauth2.device, name="astakos-device"),
]
