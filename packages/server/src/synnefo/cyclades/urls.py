"""URLs of cyclades, below its base URL's path."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from synnefo.cyclades.api import compute, images, openapi, versions, vmapi

urlpatterns: list[URLPattern | URLResolver] = [
    path("openapi.json", openapi.show),
    path("network", include("synnefo.cyclades.api.network_urls")),
    re_path(r"^compute/?(?:\.json)?$", versions.compute),
    re_path(r"^compute/(?P<version>v2\.[01])/?$", versions.compute_version),
    re_path(r"^compute/(?P<version>v2\.[01])/(?P<path>.+)$", compute.dispatch),
    re_path(r"^image/?(?:\.json)?$", versions.image),
    re_path(r"^image/versions/?$", versions.image),
    re_path(r"^image/(?P<version>v2(?:\.\d)?|v1(?:\.0)?)/(?P<path>.+)$", images.dispatch),
    re_path(r"^vmapi/v1\.0/server-params/(?P<secret>[^/]+)/?$", vmapi.server_params),
]
