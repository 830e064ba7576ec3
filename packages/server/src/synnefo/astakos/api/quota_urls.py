"""Addresses of quotas, resources and commissions, below account/v1.0/. A slash at the end is optional."""

from django.urls import URLPattern, re_path

from synnefo.astakos.api import callers, commissions, quotas, resources
from synnefo.astakos.api.http import endpoint

urlpatterns: list[URLPattern] = [
    re_path(r"^resources/?$", endpoint(GET=resources.list_resources)),
    re_path(r"^quotas/?$", endpoint(GET=quotas.own_quotas)),
    re_path(r"^project_quotas/?$", endpoint(GET=quotas.project_quotas)),
    re_path(r"^service_quotas/?$", endpoint(GET=quotas.service_quotas)),
    re_path(r"^service_project_quotas/?$", endpoint(GET=quotas.service_project_quotas)),
    re_path(r"^commissions/?$", endpoint(GET=commissions.list_commissions, POST=commissions.issue)),
    re_path(r"^commissions/action/?$", endpoint(POST=commissions.settle_many)),
    re_path(r"^commissions/(?P<serial>[^/]+)/?$", endpoint(GET=commissions.show)),
    re_path(r"^commissions/(?P<serial>[^/]+)/action/?$", endpoint(POST=commissions.settle)),
    re_path(r"^service/users/(?P<user_id>[0-9A-Fa-f-]{36})/?$", endpoint(GET=callers.show_caller)),
    re_path(r"^myaccount/default_project/?$", endpoint(POST=quotas.set_default_project, PUT=quotas.set_default_project)),
]
