"""URLs of pithos, below its base URL's path. Object names are read from the raw path, so these patterns only choose the dialect."""

from django.urls import URLPattern, URLResolver, path, re_path

from synnefo.pithos.api import openapi, swift, views

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^(?:swift|object-store)/info$", swift.info),
    path("openapi.json", openapi.show),
    re_path(r"^info$", swift.info),
    re_path(r"^object-store(?:/|$)", views.dispatch),
    re_path(r"^swift/info", swift.info),
    re_path(r"^swift(?:/|$)", swift.dispatch),
]
