"""URLs of the account API, below `account/v1.0`. A slash at the end is optional everywhere."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, re_path

from synnefo.astakos.api import account, ec2
from synnefo.astakos.api.http import endpoint, whatever
from synnefo.astakos.api.identity_v2 import unknown

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^authenticate/?$", endpoint(GET=account.authenticate)),
    re_path(r"^user_catalogs/?$", endpoint(POST=account.user_catalogs)),
    re_path(r"^service/user_catalogs/?$", endpoint(POST=account.service_user_catalogs)),
    re_path(r"^service/signing_keys/?$", endpoint(POST=ec2.signing_key)),
    re_path(r"^feedback/?$", endpoint(POST=account.send_feedback)),
    re_path(r"^myaccount/?$", endpoint(GET=account.myaccount)),
    re_path(r"^myaccount/tokens/?$", endpoint(GET=account.list_tokens, POST=account.create_token)),
    re_path(r"^myaccount/tokens/(?P<token_id>[0-9]{1,18})/?$", endpoint(DELETE=account.revoke_token)),
    re_path(r"^(?P<rest>[\s\S]*)$", whatever(unknown)),
]
