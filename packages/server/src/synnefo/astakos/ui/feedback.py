"""A word to the helpdesk."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import User
from synnefo.astakos.services import feedback
from synnefo.astakos.ui.guards import signed_in
from synnefo.astakos.ui.redirects import safe_next
from synnefo.common.errors import InvalidInput, RateLimited


class FeedbackForm(forms.Form):
    feedback_msg = forms.CharField(label="Message", max_length=feedback.MAX_LENGTH, widget=forms.Textarea(attrs={"rows": 8, "autofocus": True}))
    feedback_data = forms.CharField(
        label="Technical details", required=False, max_length=feedback.MAX_LENGTH, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Noted by the page you came from. Change or remove what you do not want to send.")

    def __init__(self, data: object = None, *, details: str = "") -> None:
        super().__init__(data, initial={"feedback_data": feedback.cleansed(details[:feedback.MAX_LENGTH])}, label_suffix="")  # type: ignore[arg-type]
        if not details:
            self.fields["feedback_data"].widget = forms.HiddenInput()


@never_cache
@csrf_protect
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """`feedback_data` may be given by the page that links here."""
    given = request.POST if request.method == "POST" else request.GET
    target = safe_next(given.get("next", ""), reverse("astakos-landing"))
    form = FeedbackForm(request.POST or None, details=given.get("feedback_data", ""))
    status = 400 if request.method == "POST" else 200
    if request.method == "POST" and form.is_valid():
        try:
            feedback.send(cast(User, request.user), form.cleaned_data["feedback_msg"], form.cleaned_data["feedback_data"])
            messages.success(request, "Thank you. Your message was sent.")
            return HttpResponseRedirect(target)
        except InvalidInput as error:
            form.add_error("feedback_msg", error.public)
        except RateLimited as error:
            form.add_error(None, error.public)
            status = 429
    return render(request, "astakos/feedback.html", {"form": form, "next": target}, status=status)
