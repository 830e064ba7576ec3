"""URLs of the authorization server, below OAUTH2_ENDPOINT_PREFIX. A slash at the end is optional everywhere."""

from __future__ import annotations

import re

from django.urls import URLPattern, re_path

from synnefo.astakos.api import oauth2
from synnefo.astakos.api.http import endpoint
from synnefo.astakos.ui import oauth2 as pages
from synnefo.common.settings import conf


def _path(path: str) -> str:
    return rf"^{re.escape(path.strip('/'))}/?$"


urlpatterns: list[URLPattern] = [
    re_path(_path(conf.OAUTH2_AUTHORIZATION_ENDPOINT), pages.authorize, name="astakos-oauth2-authorize"),
    re_path(_path(conf.OAUTH2_TOKEN_ENDPOINT), endpoint(POST=oauth2.token)),
    re_path(_path("device"), endpoint(POST=oauth2.device)),
    re_path(_path("revoke"), endpoint(POST=oauth2.revoke)),
    re_path(_path("introspect"), endpoint(POST=oauth2.introspect)),
    re_path(_path("userinfo"), endpoint(GET=oauth2.userinfo, POST=oauth2.userinfo)),
    re_path(_path("jwks"), endpoint(GET=oauth2.jwks)),
]
