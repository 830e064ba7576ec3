"""Addresses of projects, below account/v1.0/. A slash at the end is optional; `memberships` and `apps` are no ids."""

from django.urls import URLPattern, re_path

from synnefo.astakos.api import project_memberships, projects
from synnefo.astakos.api.http import endpoint

urlpatterns: list[URLPattern] = [
    re_path(r"^projects/?$", endpoint(GET=projects.list_projects, POST=projects.create)),
    re_path(r"^projects/memberships/?$", endpoint(GET=project_memberships.listing, POST=project_memberships.add)),
    re_path(r"^projects/memberships/(?P<membership_id>[^/]+)/?$", endpoint(GET=project_memberships.show)),
    re_path(r"^projects/memberships/(?P<membership_id>[^/]+)/action/?$", endpoint(POST=project_memberships.act)),
    re_path(r"^projects/apps/?$", endpoint(GET=projects.list_applications)),
    re_path(r"^projects/apps/(?P<app_id>[^/]+)/?$", endpoint(GET=projects.show_application)),
    re_path(r"^projects/apps/(?P<app_id>[^/]+)/action/?$", endpoint(POST=projects.act_on_application)),
    re_path(r"^projects/(?P<project_id>[^/]+)/?$", endpoint(GET=projects.show, PUT=projects.modify, POST=projects.modify)),
    re_path(r"^projects/(?P<project_id>[^/]+)/action/?$", endpoint(POST=projects.act)),
    re_path(r"^projects/(?P<project_id>[^/]+)/log/?$", endpoint(GET=projects.show_log)),
]
