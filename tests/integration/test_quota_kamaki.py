"""kamaki's commands for services, against the API."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from kamaki import cli, errors
from kamaki.cli import commissions as commands
from kamaki.cloud import Cloud
from kamaki.commissions import Commissions
from synnefo.astakos.quotaholder.models import Holding
from synnefo.project.wsgi import application
from tests.support.commands import run as manage
from tests.support.identity import make_token, make_user
from tests.support.quota import assert_balanced, component, resource

pytestmark = pytest.mark.django_db(transaction=True)
IDENTITY = "http://testserver/astakos/identity/v2.0"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command with a token; the requests go to the API in this process, whose catalogue names the account API."""
    token = component()
    resource()
    http = httpx.Client(transport=httpx.WSGITransport(app=application))

    def call(*arguments: str, fails: bool = False, with_token: str = token) -> Any:
        cloud = Cloud(IDENTITY, with_token, endpoints={"account": "http://testserver/astakos/account/v1.0"}, http=http)
        monkeypatch.setattr(commands, "_of", lambda _: Commissions(cloud.service_account))
        done = CliRunner().invoke(cli.app, list(arguments))
        if fails:
            assert isinstance(done.exception, errors.KamakiError), done.output
            return str(done.exception)
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    return call


def _used(uuid: str) -> list[int]:
    return list(Holding.objects.filter(resource="cyclades.vm", holder__endswith=uuid).order_by("holder").values_list("usage_max", flat=True))


def test_a_commission_from_issue_to_decision(run: Any) -> None:
    ann = make_user()
    first = run("commission", "issue", "--user-id", ann.uuid, "--charge", "cyclades.vm=2", "--name", "by hand").strip()
    assert [(str(item["serial"]), item["name"]) for item in run("commission", "pending", "--output-format", "json")] == [(first, "by hand")]
    assert {item["quantity"] for item in run("commission", "info", first, "--output-format", "json")["provisions"]} == {2}
    assert "by hand" in run("commission", "info", first)
    run("commission", "accept", first)
    assert "no pending commission" in run("commission", "reject", first, fails=True)
    second, third = (run("commission", "issue", "--user-id", ann.uuid, "--charge", "cyclades.vm=1").strip() for _ in range(2))
    done = run("commission", "resolve", "--accept", second, "--reject", third, "--reject", "999", "--output-format", "json")
    assert (done["accepted"], done["rejected"], [item[0] for item in done["failed"]]) == ([int(second)], [int(third)], [999])
    run("commission", "issue", "--user-id", ann.uuid, "--charge", "cyclades.vm=-1", "--accept")
    assert _used(ann.uuid) == [2, 2]
    assert run("service", "quotas", "--user-id", ann.uuid, "--output-format", "json")[ann.uuid][ann.uuid]["cyclades.vm"]["usage"] == 2
    assert "resource" in run("service", "quotas")
    assert_balanced()


def test_what_is_refused(run: Any) -> None:
    ann = make_user()
    assert "RESOURCE=QUANTITY" in run("commission", "issue", "--user-id", ann.uuid, "--charge", "cyclades.vm=many", fails=True)
    assert "Nothing to decide" in run("commission", "resolve", fails=True)
    assert run("commission", "pending", fails=True, with_token=make_token(ann))


def test_the_address_comes_from_the_public_catalogue() -> None:
    assert manage("service-register-local").code == 0
    http = httpx.Client(transport=httpx.WSGITransport(app=application))
    assert Cloud(IDENTITY, "x", http=http).service_account.base_url.endswith("/account/v1.0")
