"""The one-time address from which a node fetches what it needs to build a server."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from synnefo.common.middleware import loggable_path
from synnefo.cyclades.models import BuildParameters, Server
from synnefo.cyclades.services import build_parameters
from tests.support.compute import Person, server_row

pytestmark = pytest.mark.django_db(transaction=True)
SECRETS = {"img_id": "i", "img_passwd": "s3cret"}


@pytest.fixture
def address(settings_override: Any) -> str:
    settings_override(VMAPI_BASE_HOST="http://testserver")
    server = server_row(Person(), operstate="BUILD")
    build_parameters.store(server, SECRETS)
    found = build_parameters.url_for(server.pk)
    assert found
    return found.removeprefix("http://testserver")


def test_of_two_nodes_that_ask_at_once_one_gets_it(address: str) -> None:
    answers: list[Any] = []
    together = threading.Barrier(4)

    def ask() -> None:
        together.wait()
        try:
            answers.append(Client().get(address))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    told = next(answer for answer in answers if answer.status_code == 200)
    assert told.json() == SECRETS
    assert told["Cache-Control"] == "no-store"
    assert BuildParameters.objects.get().data_encrypted == "", "what was handed out is kept nowhere"
    assert build_parameters.url_for(Server.objects.get().pk), "a submission that is repeated names the same address"


def test_it_may_be_read_again_where_the_operator_says_so(address: str, settings_override: Any) -> None:
    settings_override(VMAPI_RESET_PARAMS=False)
    assert [Client().get(address).status_code for _ in range(2)] == [200, 200]
    Server.objects.update(operstate="STARTED")
    assert Client().get(address).status_code == 404, "the build has ended"


def test_only_the_networks_of_the_nodes_may_ask(address: str, settings_override: Any) -> None:
    settings_override(VMAPI_ALLOWED_NETWORKS=["10.4.0.0/16", "fd00::/8"])
    assert Client(REMOTE_ADDR="10.5.0.1").get(address).status_code == 404
    assert Client(REMOTE_ADDR="no address").get(address).status_code == 404
    assert Client(REMOTE_ADDR="10.4.7.1").get(address).status_code == 200, "a refused reader used nothing up"


def test_the_address_is_in_no_log(address: str) -> None:
    answer = Client().get(address)
    secret = address.rpartition("/")[2]
    assert secret not in loggable_path(answer.wsgi_request)
    assert loggable_path(answer.wsgi_request).endswith("/server-params/***")
