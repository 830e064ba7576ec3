"""The form for a new project, or for changes of one. What it means goes the way of the projects API."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils import timezone
from pydantic import ValidationError

from synnefo.astakos.api.project_requests import ProjectRequest
from synnefo.astakos.models import Project, Resource, User
from synnefo.astakos.services.applications import Hints
from synnefo.astakos.services.project_definitions import Definition
from synnefo.common import resource_texts
from synnefo.common.commands.values import Amount, amount, format_amount
from synnefo.common.errors import InvalidInput
from synnefo.common.ports import INFINITE

TOTAL, MEMBER = "total", "member"
DEFAULT_LIFE = datetime.timedelta(days=180)
JOIN = [("auto", "Everybody may join"), ("moderated", "The owner accepts each"), ("closed", "Nobody joins by himself")]
LEAVE = [("auto", "Members may leave"), ("moderated", "The owner lets each go"), ("closed", "Nobody leaves by himself")]
HINT = "A number, with K, M, G or T for bytes, or inf."


class ProjectForm(forms.Form):
    """`project` is the one that changes; without it the project is new. `limits_only`: system projects keep their details."""

    name = forms.CharField(label="Name", max_length=80, help_text="Like a domain, for example group.example.org.")
    owner = forms.EmailField(label="Owner", required=False, help_text="The e-mail of a user, to hand the project over.")
    homepage = forms.CharField(label="Homepage", max_length=255, required=False, widget=forms.URLInput)
    description = forms.CharField(label="Description", max_length=4096, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    start_date = forms.DateField(label="Starts", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    end_date = forms.DateField(label="Ends", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    comments = forms.CharField(label="Comments for those who decide", max_length=4096, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    join_policy = forms.ChoiceField(label="Joining", choices=JOIN)
    leave_policy = forms.ChoiceField(label="Leaving", choices=LEAVE)
    max_members = forms.CharField(label="Members at most", max_length=64, help_text="A number, or inf.")

    def __init__(self, data: Any = None, *, project: Project | None = None) -> None:
        self.project = project
        self.resources = sorted(Resource.objects.filter(ui_visible=True), key=lambda row: resource_texts.of(row.name).order)
        super().__init__(data, initial=self._initial(), label_suffix="")
        if project is None:
            self.fields["join_policy"].choices = JOIN[:2]  # type: ignore[attr-defined]
            del self.fields["owner"]
        elif project.is_base:
            for name in ("name", "owner", "homepage", "description"):
                del self.fields[name]
        for resource in self.resources:
            for part, label in ((TOTAL, "together"), (MEMBER, "each member")):
                self.fields[_key(part, resource)] = forms.CharField(
                    label=f"{resource_texts.of(resource.name).label} {label}", max_length=40, required=False,
                    widget=forms.TextInput(attrs={"inputmode": "text", "aria-label": f"{resource_texts.of(resource.name).label}, {label}"}))

    def _initial(self) -> dict[str, Any]:
        project = self.project
        if project is None:
            return {"end_date": (timezone.now() + DEFAULT_LIFE).date(), "join_policy": "moderated", "leave_policy": "auto", "max_members": "inf"}
        known = {item.resource_id: item for item in project.quotas.all()}
        found: dict[str, Any] = {
            "name": project.realname, "owner": "" if project.owner is None else project.owner.email, "homepage": project.homepage, "description": project.description, "end_date": project.end_date.date(),
            "join_policy": project.join_policy, "leave_policy": project.leave_policy, "max_members": _shown(project.max_members, "")}
        for resource in self.resources:
            if resource.pk in known:
                found[_key(TOTAL, resource)] = _shown(known[resource.pk].project_capacity, resource.unit)
                found[_key(MEMBER, resource)] = _shown(known[resource.pk].member_capacity, resource.unit)
        return found

    def groups(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Resources under headings: each with its two fields."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for resource in self.resources:
            text = resource_texts.of(resource.name)
            rows.setdefault(text.heading, []).append({
                "text": text, "resource": resource, "total": self[_key(TOTAL, resource)], "member": self[_key(MEMBER, resource)]})
        return list(rows.items())

    def plain_fields(self) -> Iterator[forms.BoundField]:
        """All but the resources."""
        return (self[name] for name in self.fields if not name.startswith((TOTAL, MEMBER)))

    def clean_owner(self) -> str:
        email = str(self.cleaned_data["owner"]).lower()
        if email and not User.objects.filter(email=email, is_active=True).exists():
            raise forms.ValidationError("There is no active user of this e-mail.")
        return email

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("start_date"), data.get("end_date")
        if end is not None and end < timezone.now().date():
            self.add_error("end_date", "The project must end today or later.")
        if start is not None and end is not None and end < start:
            self.add_error("end_date", "The project must end after it starts.")
        for resource in self.resources:
            self._clean_resource(resource, data)
        return data

    def _clean_resource(self, resource: Resource, data: dict[str, Any]) -> None:
        """Two texts become two numbers: both given or none, and no member gets more than all together."""
        total, member = (data.get(_key(part, resource), "") for part in (TOTAL, MEMBER))
        if not total and not member:
            return
        if not total:
            self.add_error(_key(TOTAL, resource), "Say how much for all together.")
            return
        numbers = []
        for part, text in ((TOTAL, total), (MEMBER, member or total)):
            try:
                numbers.append(amount(text))
            except argparse.ArgumentTypeError:
                self.add_error(_key(part, resource), HINT)
        if len(numbers) == 2:
            if numbers[1] > numbers[0]:
                self.add_error(_key(MEMBER, resource), "Not more than for all together.")
            data[_key(TOTAL, resource)], data[_key(MEMBER, resource)] = numbers

    def asked(self) -> tuple[Definition, Hints]:
        """What the valid form asks for; of a project that exists only what differs. Raises `InvalidInput`."""
        body = self._changed()
        try:
            request = ProjectRequest.model_validate(body)
        except ValidationError as error:
            where = error.errors()[0]
            raise InvalidInput(str(where["msg"]), field=str(where["loc"][0]) if where["loc"] else None) from None
        definition = request.definition()
        if self.project is None and not definition.resources:
            raise InvalidInput("Ask for at least one resource.")
        if self.project is not None and not definition.names():
            raise InvalidInput("Nothing is different.")
        return definition, request.hints()

    def _changed(self) -> dict[str, Any]:
        data, initial = self.cleaned_data, self._initial()
        names = ("name", "homepage", "description", "join_policy", "leave_policy", "max_members")
        body = {name: data[name] for name in names if name in data and (self.project is None or data[name] != initial[name])}
        if self.project is None or data["end_date"] != initial["end_date"]:
            body["end_date"] = f"{data['end_date']}T23:59:59"
        if data.get("owner") and data["owner"] != initial["owner"]:
            body["owner"] = User.objects.values_list("uuid", flat=True).get(email=data["owner"])
        body["comments"] = data["comments"]
        if data["start_date"] is not None:
            body["start_date"] = str(data["start_date"])
        body["resources"] = {
            resource.name: {"member_capacity": data[_key(MEMBER, resource)], "project_capacity": data[_key(TOTAL, resource)]}
            for resource in self.resources if isinstance(data.get(_key(TOTAL, resource)), int) and self._differs(resource, initial)}
        return body

    def _differs(self, resource: Resource, initial: dict[str, Any]) -> bool:
        """Not when the texts are still those that were shown: they are rounded."""
        typed = [str(self.data.get(_key(part, resource), "")).strip() for part in (TOTAL, MEMBER)]
        return self.project is None or typed != [initial.get(_key(TOTAL, resource), ""), initial.get(_key(MEMBER, resource), "")]

    def summary(self, definition: Definition) -> list[tuple[str, str, str]]:
        """(what, before, after) in words."""
        initial = self._initial() if self.project is not None else {}
        words = {"join_policy": dict(JOIN), "leave_policy": dict(LEAVE)}
        rows = []
        for name in definition.names():
            if name == "resources":
                continue
            label = str(self.fields[name].label)
            values = [str(initial.get(name, "")), str(self.cleaned_data[name])]
            before, after = (str(words.get(name, {}).get(value, value)) for value in values)
            rows.append((label, before, after))
        for resource in self.resources:
            if resource.name in definition.resources:
                member, total = definition.resources[resource.name]
                old = [initial.get(_key(part, resource), "") for part in (TOTAL, MEMBER)]
                rows.append((resource_texts.of(resource.name).label, _pair(*old) if old[0] else "", _pair(_shown(total, resource.unit), _shown(member, resource.unit))))
        return rows


def _pair(total: str, member: str) -> str:
    return f"{_word(total)} together, {_word(member)} for each member"


def _word(text: str) -> str:
    return "unlimited" if text == "inf" else text


def _key(part: str, resource: Resource) -> str:
    return f"{part}-{resource.name}"


def _shown(value: int, unit: str) -> str:
    return "inf" if value >= INFINITE else format_amount(Amount(value, unit), "auto")
