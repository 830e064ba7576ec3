"""Pages of astakos, below its base URL's `ui/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from synnefo.astakos.ui import (
    api_access,
    data,
    landing,
    login_methods,
    oauth2,
    programs,
    projects,
    provider_sign_out,
    providers,
    session,
    signup,
    third_party_signup,
    views,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.index, name="astakos-index"),
    path("get_menu", data.get_menu, name="astakos-menu"),
    path("landing", landing.page, name="astakos-landing"),
    path("get_services", data.get_services, name="astakos-services"),
    path("login", views.login, name="astakos-login"),
    path("local", views.login, name="astakos-local"),
    path("login/local", views.login),
    path("session", session.show, name="astakos-session"),
    path("session/extend", session.extend, name="astakos-session-extend"),
    path("login/associate", third_party_signup.associate, name="astakos-associate"),
    path("login/ldap/add", providers.directory_add, name="astakos-directory-add"),
    path("login/saml/metadata", providers.saml_metadata, name="astakos-saml-metadata"),
    re_path(r"^login/(?P<module>[a-z0-9:_-]{1,64})$", providers.start, name="astakos-provider"),
    re_path(r"^login/(?P<module>[a-z0-9:_-]{1,64})/authenticated$", providers.authenticated, name="astakos-provider-return"),
    re_path(r"^login/(?P<module>[a-z0-9:_-]{1,64})/logout$", provider_sign_out.sign_out_there, name="astakos-provider-logout"),
    re_path(r"^login/(?P<module>[a-z0-9:_-]{1,64})/backchannel-logout$", provider_sign_out.signed_out_there,
            name="astakos-provider-backchannel"),
    path("signup", signup.page, name="astakos-signup"),
    path("activate", signup.activate, name="astakos-activate"),
    path("send/activation/<str:secret>", signup.sent, name="astakos-send-activation"),
    path("profile", login_methods.page, name="astakos-profile"),
    path("remove_auth_provider/<int:pk>", login_methods.remove, name="astakos-remove-method"),
    path("logout", views.logout, name="astakos-logout"),
    path("api_access", api_access.page, name="astakos-api-access"),
    path("profile/update_token", api_access.update_token, name="astakos-update-token"),
    path(".kamakirc", api_access.kamakirc, name="astakos-kamakirc"),
    path("device", oauth2.device, name="astakos-device"),
    path("programs", programs.page, name="astakos-programs"),
    path("projects", projects.index, name="astakos-projects"),
    path("projects/search", projects.search, name="astakos-project-search"),
    path("projects/<str:uuid>", projects.detail, name="astakos-project"),
    path("projects/<str:uuid>/join", projects.join, name="astakos-project-join"),
    path("projects/<str:uuid>/memberships/<int:number>/<str:action>", projects.act, name="astakos-membership-act"),
    path("projects/<str:uuid>/app/<int:number>/<str:action>", projects.answer, name="astakos-application-answer"),
]
