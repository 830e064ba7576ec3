"""URLs of cyclades, below its base URL's path."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("network", include("synnefo.cyclades.api.network_urls")),
]
