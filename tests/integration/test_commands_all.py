"""Every command of every service: it explains itself, refuses nonsense as wrong usage, and lists what lists have."""

from __future__ import annotations

import pytest
from django.core.management import load_command_class

from synnefo.common.commands import BaseCommand, ListCommand, TableCommand
from synnefo.project.manage import ours
from tests.support.commands import run

COMMANDS = sorted(ours().items())
LISTS = [(name, app) for name, app in COMMANDS if isinstance(load_command_class(app, name), TableCommand)]


@pytest.mark.parametrize(("name", "app"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_a_command_explains_itself(name: str, app: str) -> None:
    command = load_command_class(app, name)
    assert isinstance(command, BaseCommand)
    assert command.help, "say in one sentence what it does"
    result = run(name.replace("_", "-"), "--help")
    assert (result.code, result.err) == (0, "")
    assert f"usage: snf-manage {name.replace('_', '-')}" in result.out
    assert run(name.replace("_", "-"), "--no-such-option").code == 2


@pytest.mark.parametrize(("name", "app"), LISTS, ids=[name for name, _ in LISTS])
def test_a_list_names_its_fields(name: str, app: str) -> None:
    command = load_command_class(app, name)
    assert isinstance(command, TableCommand)
    assert set(command.default_fields) <= set(command.fields)
    assert all(field.help for field in command.fields.values()), "every field has a description"
    assert run(name.replace("_", "-"), "--list-fields").code == 0


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name, app in LISTS if isinstance(load_command_class(app, name), ListCommand)])
def test_every_field_of_a_list_can_be_shown_and_sorted_by_or_not(name: str) -> None:
    public = name.replace("_", "-")
    command = load_command_class(ours()[name], name)
    assert isinstance(command, ListCommand)
    assert run(public, "--output-format", "json").json() == []
    for field in command.fields:
        shown = run(public, "--output-format", "json", "-o", field)
        assert (shown.code, shown.out) in {(0, "[]\n"), (2, "")}, shown.err
        result = run(public, "--sort-by", field, "--count")
        assert (result.code, result.out) in {(0, "0\n"), (2, "")}, result.err
