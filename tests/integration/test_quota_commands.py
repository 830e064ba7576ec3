"""The operators' commands on resources, quotas, commissions and projects."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from synnefo.astakos.models import Component, Project, ProjectResourceQuota, Resource, Service
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Commission, Holding, IssuedRequest, ProvisionLog
from synnefo.common.ids import Serial
from tests.support.commands import run
from tests.support.quota import assert_balanced, charge, component, resource, user

pytestmark = pytest.mark.django_db
VM, RAM = "cyclades.vm", "cyclades.ram"
MIB = 1024**2


@pytest.fixture(autouse=True)
def _resources() -> None:
    component("cyclades")
    resource(VM)
    resource(RAM, unit="bytes")


def _charge(uuid: str, quantity: int, name: str = VM, *, auto_accept: bool = True, force: bool = False) -> Serial:
    project = f"project:{uuid}"
    return ledger.issue("cyclades", [charge((f"user:{uuid}", project, name), quantity), charge((project, "", name), quantity)],
                        name="test", auto_accept=auto_accept, force=force)


def _limits(name: str = VM) -> set[int]:
    return set(Holding.objects.filter(resource=name).values_list("limit", flat=True))


# Resources -------------------------------------------------------------------------------------------------------


def test_resource_list_shows_amounts_in_their_unit() -> None:
    assert run("resource-modify", RAM, "--system-default", "1.5GiB").code == 0
    rows = {row["name"]: row for row in run("resource-list", "--output-format", "json").json()}
    assert rows[RAM]["system_default"] == 1536 * MIB
    assert rows[VM]["project_default"] == 0
    assert "1536MB" in run("resource-list", "--filter-by", "system_default>=1G,unit=bytes").out
    assert "inf" in run("resource-list", "--filter-by", f"name={VM}", "-o", "name,default_quota").out


@pytest.mark.parametrize("option", ["--system-default", "--default-quota", "--limit"])
def test_a_new_default_counts_for_new_users_only(option: str) -> None:
    old, _ = user("old@example.org")
    assert run("resource-modify", VM, option, "4").code == 0
    new, _ = user("new@example.org")
    limits = dict(Holding.objects.filter(resource=VM).exclude(source="").values_list("holder", "limit"))
    assert limits == {f"user:{old}": 2**63 - 1, f"user:{new}": 4}


def test_a_new_default_reaches_existing_projects_that_had_the_old_one() -> None:
    plain, _ = user("plain@example.org")
    special, _ = user("special@example.org")
    assert run("user-modify", special, "--base-quota", VM, "9", "--yes").code == 0
    result = run("resource-modify", VM, "--system-default", "4", "--apply-to-existing")
    assert "system_default changed from inf to 4" in result.err
    limits = dict(Holding.objects.filter(resource=VM).exclude(source="").values_list("holder", "limit"))
    assert limits == {f"user:{plain}": 4, f"user:{special}": 9}
    assert run("quota-verify").code == 0


def test_what_pages_show_the_api_shows() -> None:
    assert "ui_visible is now False" in run("resource-modify", VM, "--api-visible", "False").err
    assert Resource.objects.get(name=VM).ui_visible is False
    assert "api_visible is now True" in run("resource-modify", VM, "--allow-in-projects", "True").err
    assert Resource.objects.get(name=VM).api_visible is True
    assert run("resource-modify", VM, "--api-visible", "False", "--ui-visible", "True").code == 1


def test_defaults_from_a_file_and_by_questions(tmp_path: Path) -> None:
    file = tmp_path / "limits.json"
    file.write_text(json.dumps({VM: 3, RAM: "2G"}))
    assert run("resource-modify", "--default-quota-from-file", str(file)).code == 0
    assert dict(Resource.objects.values_list("name", "system_default")) == {VM: 3, RAM: 2048 * MIB}
    result = run("resource-modify", VM, "--default-quota-interactive", stdin="many\n7\n")
    assert result.code == 0
    assert "invalid amount" in result.err
    assert Resource.objects.get(name=VM).system_default == 7
    file.write_text(json.dumps({"cyclades.moon": 3}))
    assert run("resource-modify", "--limit-from-file", str(file)).code == 1


@pytest.mark.parametrize(("arguments", "code"), [
    ((VM,), 2), (("--system-default", "4"), 2), (("cyclades.moon", "--system-default", "4"), 1), ((VM, "--system-default", "-4"), 2),
    ((VM, "--system-default", "4 apples"), 2), ((VM, "--api-visible", "perhaps"), 2), ((VM, "--limit-from-file", "/nowhere"), 1),
    ((VM, "--system-default", "9223372036854775808"), 2)])
def test_bad_resource_modify_changes_nothing(arguments: tuple[str, ...], code: int) -> None:
    before = list(Resource.objects.values())
    result = run("resource-modify", *arguments)
    assert result.code == code
    assert result.err
    assert list(Resource.objects.values()) == before


def test_resources_travel_between_hosts(tmp_path: Path) -> None:
    exported = run("resource-export-astakos")
    assert [item["name"] for item in json.loads(exported.out)] == ["astakos.pending_app"]
    file = tmp_path / "resources.json"
    file.write_text(exported.out)
    refused = run("resource-import", "--json", str(file))
    assert (refused.code, Resource.objects.count()) == (1, 2)
    Service.objects.create(name="astakos_account", type="account", component=Component.objects.create(name="astakos", token_hash="x"))
    assert "created with unlimited quota" in run("resource-import", "--json", str(file)).err
    assert "updated" in run("resource-import", "--json", "-", stdin=exported.out).err
    assert Resource.objects.get(name="astakos.pending_app").component == "astakos"


@pytest.mark.parametrize("text", ["", "{}", "[5]", '[{"name": "x"}]', '[{"service_origin": "nobody", "name": "x"}]', "[" * 100_000])
def test_malformed_resources_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "resources.json"
    file.write_text(text)
    assert run("resource-import", "--json", str(file)).code == 1
    assert Resource.objects.count() == 2


def test_registering_again_keeps_what_the_operator_chose() -> None:
    run("resource-modify", VM, "--system-default", "4", "--ui-visible", "False")
    resource(VM, desc="Virtual machines")
    row = Resource.objects.get(name=VM)
    assert (row.desc, row.system_default, row.ui_visible) == ("Virtual machines", 4, False)
    with pytest.raises(Exception, match="belongs to the component"):
        resource(VM, owner="pithos")


def test_a_new_resource_reaches_all_projects() -> None:
    for number in range(3):
        user(f"user{number}@example.org")
    resource("cyclades.disk", unit="bytes")
    assert Holding.objects.filter(resource="cyclades.disk").count() == 6
    assert _limits("cyclades.disk") == {2**63 - 1}
    assert run("quota-verify", "--include-unexpected-holdings").code == 0


# Quotas ----------------------------------------------------------------------------------------------------------


def test_quota_list_filters() -> None:
    run("resource-modify", VM, "--system-default", "5")
    ann, _ = user("ann@example.org")
    bob, _ = user("bob@example.org")
    _charge(ann, 7, force=True)
    _charge(bob, 300 * MIB, RAM)

    def listed(*arguments: str) -> list[tuple[str, str]]:
        rows = run("quota-list", "--output-format", "json", *arguments).json()
        return sorted((row["holder"], row["resource"]) for row in rows)

    assert len(listed()) == 4
    assert listed("--overlimit") == [(ann, VM)]
    assert listed("--filter-by", "usage>=200M") == [(bob, RAM)]
    assert listed("--filter-by", f"limit=inf,source=project:{ann}") == [(ann, RAM)]
    assert listed("--filter-by", f"user=bob@example.org,resource={VM}") == [(bob, VM)]
    assert listed("--filter-by", f"holder=user:{ann},base_quota<10") == [(ann, VM)]
    assert listed("-u", "ann@example.org") == sorted([(ann, VM), (ann, RAM)])
    run("user-modify", ann, "--base-quota", VM, "9", "--yes")
    assert listed("--with-custom", "True") == [(ann, VM)]
    assert len(listed("--with-custom", "False")) == 3
    row = run("quota-list", "--with-custom", "True", "--display-mails", "--output-format", "json").json()[0]
    assert (row["limit"], row["usage"], row["default"], row["user.email"]) == (9, 7, 5, "ann@example.org")


def test_quota_list_takes_few_queries(django_assert_max_num_queries: object) -> None:
    for number in range(10):
        user(f"user{number}@example.org")
    with django_assert_max_num_queries(3):  # type: ignore[operator]
        assert len(run("quota-list", "--display-mails", "--output-format", "json").json()) == 20


def test_quota_verify_finds_and_repairs_limits() -> None:
    ann, _ = user("ann@example.org")
    bob, _ = user("bob@example.org")
    assert run("quota-verify").code == 0
    Holding.objects.filter(holder=f"user:{ann}", resource=VM).update(limit=3)
    Holding.objects.filter(holder=f"user:{ann}", resource=RAM).delete()
    Holding.objects.create(holder="user:ghost", source=f"project:{bob}", resource=VM)
    Holding.objects.create(holder="user:ghost", source="project:ghost", resource=VM, limit=5, usage_min=1, usage_max=1)
    _charge(bob, 2)
    rows = run("quota-verify", "--output-format", "csv")
    assert rows.code == 4
    assert f"user:{ann},project:{ann},{VM},inf,3" in rows.out
    assert f"user:{ann},project:{ann},{RAM},inf,missing" in rows.out
    assert "ghost" not in rows.out
    assert run("quota-verify", "--user", "bob@example.org").code == 0
    assert run("quota-verify", "--user", ann).code == 4
    assert run("quota-verify", "--include-unexpected-holdings").out.count("unexpected") == 2
    assert run("quota-verify", "--fix").code == 0
    assert run("quota-verify").code == 0
    last = run("quota-verify", "--fix", "--include-unexpected-holdings")
    assert last.code == 4
    assert "1 unexpected holdings are in use" in last.err
    assert Holding.objects.filter(holder="user:ghost").values_list("source", flat=True).get() == "project:ghost"
    assert Holding.objects.get(holder=f"user:{bob}", resource=VM).usage_max == 2


def test_quota_verify_finds_counters_that_disagree(django_assert_num_queries: object) -> None:
    ann, _ = user("ann@example.org")
    bob, _ = user("bob@example.org")
    _charge(ann, 5)
    _charge(ann, 2, auto_accept=False)
    _charge(ann, -1, auto_accept=False)
    _charge(bob, 300 * MIB, RAM)
    with django_assert_num_queries(2):  # type: ignore[operator]
        assert run("quota-verify", "--usage").code == 0
    Holding.objects.filter(holder=f"user:{bob}", resource=RAM).update(usage_min=7, usage_max=7)
    Commission.objects.filter(pk=Commission.objects.earliest("pk").pk).delete()
    result = run("quota-verify", "--usage", "--output-format", "csv")
    assert result.code == 4
    assert f"user:{ann},project:{ann},{VM},\"pending is 3, commissions say 1\"" in result.out
    assert f"project:{bob},,{RAM},\"counts {300 * MIB} to {300 * MIB}, its members 7 to 7\"" in result.out
    assert len(result.out.splitlines()) == 4
    assert run("quota-verify", "--usage", "--fix").code == 2


# Commissions -------------------------------------------------------------------------------------------------------


def test_commissions_pending_overdue_and_resolved() -> None:
    ann, _ = user("ann@example.org")
    old, new, done = (_charge(ann, 1, auto_accept=False) for _ in range(3))
    ledger.resolve("cyclades", reject=[done])
    Commission.objects.filter(pk=old).update(issued_at=timezone.now() - datetime.timedelta(hours=1))

    def serials(*arguments: str) -> list[int]:
        return [row["serial"] for row in run("commission-list", "--output-format", "json", *arguments).json()]

    assert serials() == [old, new]
    assert serials("--overdue", "600") == [old]
    assert serials("--holder", f"user:{ann}", "--resource", VM) == [old, new]
    assert serials("--holder", "user:nobody") == []
    assert serials("--filter-by", "clientkey=pithos") == []
    assert serials("--resolved", "--holder", f"user:{ann}") == [done]
    assert run("commission-list", "-o", "serial,delta").code == 2


def test_an_orphaned_commission_is_decided_by_hand() -> None:
    ann, _ = user("ann@example.org")
    serial = str(_charge(ann, 2, auto_accept=False))
    shown = run("commission-show", serial, "--output-format", "json").json()
    assert (shown["serial"], shown["clientkey"], len(shown["provisions"])) == (int(serial), "cyclades", 2)
    assert run("commission-show", serial, "--accept").code == 1
    assert run("commission-show", serial, "--accept", stdin="n\n").code == 1
    assert Commission.objects.count() == 1
    assert run("commission-show", serial, "--reject", "--yes").code == 0
    assert Commission.objects.count() == 0
    assert_balanced()
    for unknown in (serial, "99999999999999999999", "one"):
        assert run("commission-show", unknown).code in {1, 2}


def test_old_records_are_dropped(settings_override: object) -> None:
    ann, _ = user("ann@example.org")
    _charge(ann, 1)
    ledger.issue("c", [], request_id="x")
    IssuedRequest.objects.update(created_at=timezone.now() - datetime.timedelta(days=8))
    ProvisionLog.objects.update(logged_at=timezone.now() - datetime.timedelta(days=399))
    assert "1 request ids and 0 lines" in run("quota-cleanup").err
    settings_override(ASTAKOS_PROVISION_LOG_DAYS=398)  # type: ignore[operator]
    assert "0 request ids and 2 lines" in run("quota-cleanup").err


def test_the_worker_drops_them_too() -> None:
    from synnefo.cyclades.worker import duties

    ledger.issue("c", [], request_id="old")
    IssuedRequest.objects.update(created_at=timezone.now() - datetime.timedelta(days=8))
    ledger.issue("c", [], request_id="new")
    found = {duty.name: duty for duty in duties()}
    assert {found[name].run() for name in ("quota requests", "quota log")} == {1, 0}
    assert IssuedRequest.objects.get().request_id == "new"


# Projects ----------------------------------------------------------------------------------------------------------


def test_projects_are_listed_and_shown() -> None:
    ann, _ = user("ann@example.org")
    _charge(ann, 2)
    assert run("project-list", "--output-format", "json").json() == []
    assert [row["id"] for row in run("project-list", "--system-projects", "--output-format", "json").json()] == [ann]
    shown = run("project-show", ann, "--members", "--quota", "--output-format", "json").json()
    assert shown["name"] == f"system:{ann}"
    assert [item["email"] for item in shown["members"]] == ["ann@example.org"]
    usage = {item["resource"]: item["usage"] for item in shown["limits"]}
    assert usage == {VM: 2, RAM: 0}
    assert run("project-show", "nobody").code == 1
    assert ProjectResourceQuota.objects.count() == 2


# Compatibility ---------------------------------------------------------------------------------------------------


def test_the_old_quota_command_lists_verifies_and_repairs() -> None:
    ann, _ = user("ann@example.org")
    user("bob@example.org")
    listed = run("quota", "--user", "ann@example.org", "--output-format", "json")
    assert {row["holder"] for row in listed.json()} == {ann}
    assert "quota-list" in listed.err
    Holding.objects.filter(resource=VM, source="").update(limit=3)
    assert run("quota", "--verify").code == 4
    assert run("quota", "--sync").code == 0
    assert run("quota", "--verify").code == 0
    assert run("quota", "--list", "--verify").code == 2


def test_base_quota_from_a_file(tmp_path: Path) -> None:
    ann, _ = user("ann@example.org")
    bob, _ = user("bob@example.org")
    file = tmp_path / "quota"
    file.write_text(f"{ann} {VM} 3\nbob@example.org {RAM} 2G\n\n{ann}  {RAM} 1\n{ann} cyclades.moon 1\nnobody@example.org {VM} 1\n{ann} {VM} -1\n")
    result = run("quota", "--import-base-quota", str(file))
    assert result.code == 3
    assert [f"Line {number} is skipped" in result.err for number in range(1, 8)] == [False, False, False, True, True, True, True]
    limits = {(row.holder, row.resource): row.limit for row in Holding.objects.exclude(source="")}
    assert (limits[f"user:{ann}", VM], limits[f"user:{bob}", RAM]) == (3, 2 * 1024 * MIB)
    assert run("quota", "--import-base-quota", str(tmp_path / "none")).code == 1


@pytest.mark.parametrize("shape", [list, dict])
def test_default_limits_of_old_settings(settings_override: Callable[..., None], shape: type) -> None:
    ann, _ = user("ann@example.org")
    items = [{"name": "vm", "uplimit": 7}, {"name": RAM, "uplimit": "4G"}, {"name": "disk"}]
    value = {"cyclades": {"resources": items if shape is list else {item["name"]: item for item in items}}}
    settings_override(ASTAKOS_SERVICES=value)
    assert run("astakos-init").code == 2
    result = run("astakos-init", "--load-service-resources")
    assert result.code == 0, result
    assert run("astakos-init", "--load-service-resources").code == 0, "repeatable"
    assert "keep their limits" in result.err
    assert Resource.objects.get(name=VM).system_default == 7
    assert Resource.objects.get(name=RAM).system_default == 4 * 1024 * MIB
    assert Holding.objects.get(holder=f"user:{ann}", resource=VM).limit == 2**63 - 1


def test_pruning_takes_only_what_is_over_and_unused() -> None:
    ann, _ = user("ann@example.org")
    bob, _ = user("bob@example.org")
    _charge(bob, 1)
    Project.objects.filter(uuid__in=[ann, bob]).update(state="terminated")
    assert run("quota-verify", "--fix").code == 0
    kept = Holding.objects.exclude(holder__contains=ann).exclude(source__contains=ann)
    expected = set(kept.filter(usage_max__gt=0).values_list("pk", flat=True))
    assert len(expected) == 2
    assert run("quota-verify", "--prune", "--fix").code == 2
    user("eve@example.org")
    with_eve = expected | set(Holding.objects.filter(limit__gt=0).values_list("pk", flat=True))
    assert "holdings are gone" in run("quota-verify", "--prune").err
    assert set(Holding.objects.values_list("pk", flat=True)) == with_eve
    assert run("quota-verify", "--include-unexpected-holdings").code == 0, "what is not needed is not missed"
    Project.objects.filter(uuid=ann).update(state="active")
    assert run("quota-verify").code == 4
    assert run("quota-verify", "--fix").code == 0
    assert Holding.objects.filter(holder=f"user:{ann}", limit=2**63 - 1).count() == 2
    assert_balanced(was_forced=True)


@pytest.mark.parametrize("name", ["astakos", "cyclades", "pithos"])
def test_services_export_themselves(name: str) -> None:
    services = json.loads(run(f"service-export-{name}").out)
    assert {service["component"] for service in services.values()} == {name}
    assert [item["name"] for item in json.loads(run(f"resource-export-{name}").out)] == [
        item["name"] for service in services.values() for item in service["resources"].values()]
