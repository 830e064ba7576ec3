"""kamaki's commands for projects, against the API."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from kamaki import cli, errors
from kamaki.cli import projects as commands
from kamaki.projects import Projects
from kamaki.transport import Transport
from synnefo.astakos.models import User
from synnefo.project.wsgi import application
from tests.support.identity import ACCOUNT, make_token
from tests.support.projects import VM, define_resources, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, settings_override: Any) -> Any:
    """Run a command as a user; the requests go to the API in this process."""
    define_resources()
    settings_override(ASTAKOS_PROJECT_ADMINS=[person("root").uuid])
    http = httpx.Client(transport=httpx.WSGITransport(app=application))

    def call(email: str, *arguments: str, fails: bool = False) -> Any:
        token = make_token(User.objects.get(email=f"{email}@example.org"))
        monkeypatch.setattr(commands, "_of", lambda _: Projects(Transport(f"http://testserver{ACCOUNT}", token, http=http)))
        done = CliRunner().invoke(cli.app, list(arguments))
        if fails:
            assert isinstance(done.exception, errors.KamakiError), done.output
            return str(done.exception)
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    return call


def test_a_project_from_application_to_its_end(run: Any) -> None:
    person("ann")
    bob = person("bob")
    made = run("ann", "project", "create", "--name", "lab.example.org", "--end-date", "2113-1-1", "--resource", f"{VM}=2,4",
               "--output-format", "json")
    project, number = made["id"], str(made["application"])
    assert "administrators" in run("ann", "project", "approve", project, "--app-id", number, fails=True)
    run("root", "project", "approve", project, "--app-id", number, "--reason", "fine")
    assert "active" in run("ann", "project", "list", "--with-name", "lab.example.org")
    asked = run("bob", "project", "join", project, "--output-format", "json")
    assert (asked["state"], asked["user"]) == ("requested", bob.uuid)
    run("ann", "membership", "accept", str(asked["id"]))
    assert [item["state"] for item in run("ann", "membership", "list", "--with-project-id", project, "--output-format", "json")] == ["accepted"]
    run("bob", "membership", "leave", str(asked["id"]))
    assert run("ann", "project", "enroll", project, "--email", "bob@example.org", "--output-format", "json")["id"] == asked["id"]
    run("ann", "project", "modify", project, "--description", "new")
    run("root", "project", "terminate", project)
    assert run("ann", "project", "info", project, "--output-format", "json")["state"] == "terminated"
    assert "--resource x" in run("ann", "project", "modify", project, "--resource", "x", fails=True)
