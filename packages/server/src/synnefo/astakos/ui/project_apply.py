"""Applying for a project, or for changes of one: filled in, looked at once more, sent."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from synnefo.astakos.models import Project, User
from synnefo.astakos.services import applications, pending_apps, project_rules, projects
from synnefo.astakos.ui.project_forms import ProjectForm
from synnefo.astakos.ui.project_frame import project_page, user_of
from synnefo.common.errors import InvalidInput, StateConflict

KEYS = "application_keys"
"""In the session: forms that were shown and not sent yet, so that a double click sends one application."""
MAX_KEYS = 20


@project_page("GET", "HEAD", "POST")
def add(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    if not pending_apps.may_apply(user) and not project_rules.is_admin(user):
        messages.error(request, "You have reached the limit of pending applications. Cancel one, or wait for an answer.")
        return redirect("astakos-projects")
    return _steps(request, user, None)


@project_page("GET", "HEAD", "POST")
def modify(request: HttpRequest, uuid: str) -> HttpResponse:
    user = user_of(request)
    project = projects.get_project(uuid)
    project_rules.require_visible(user, project)
    project_rules.require_manager(user, project)
    return _steps(request, user, project)


@project_page("GET", "HEAD")
def how_it_works(request: HttpRequest) -> HttpResponse:
    return render(request, "astakos/projects/how_it_works.html")


def _steps(request: HttpRequest, user: User, project: Project | None) -> HttpResponse:
    """`step`: `check` shows the summary, `edit` the form again, `submit` sends it."""
    step = request.POST.get("step", "")
    if not step:
        return _form(request, ProjectForm(project=project), project)
    form = ProjectForm(request.POST, project=project)
    if step == "edit" or not form.is_valid():
        return _form(request, form, project, status=200 if step == "edit" else 400)
    try:
        definition, hints = form.asked()
        if step == "check":
            return _summary(request, form, definition, project)
        if not _take_key(request):
            messages.info(request, "This application was sent already.")
            return redirect("astakos-projects")
        sent = (applications.submit(user, definition, hints) if project is None
                else applications.submit_modification(user, project.uuid, definition, hints))
    except (InvalidInput, StateConflict) as error:
        form.add_error(error.field if isinstance(error, InvalidInput) and error.field in form.fields else None, error.public)
        return _form(request, form, project, status=400)
    messages.success(request, "The application waits for an answer. You will get a mail.")
    return redirect("astakos-project", uuid=sent.project.uuid)


def _form(request: HttpRequest, form: ProjectForm, project: Project | None, *, status: int = 200) -> HttpResponse:
    return render(request, "astakos/projects/form.html", {"form": form, "project": project}, status=status)


def _summary(request: HttpRequest, form: ProjectForm, definition: Any, project: Project | None) -> HttpResponse:
    key = secrets.token_urlsafe(12)
    request.session[KEYS] = [*request.session.get(KEYS, []), key][-MAX_KEYS:]
    sent = [(name, request.POST.get(name, "")) for name in form.fields]
    context = {"rows": form.summary(definition), "comments": form.cleaned_data["comments"], "sent": sent, "key": key, "project": project}
    return render(request, "astakos/projects/summary.html", context)


def _take_key(request: HttpRequest) -> bool:
    keys = request.session.get(KEYS, [])
    key = request.POST.get("key", "")
    if key not in keys:
        return False
    request.session[KEYS] = [kept for kept in keys if kept != key]
    request.session.save()  # before the application is made: a second click must not find it
    return True
