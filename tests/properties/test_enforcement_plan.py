"""Plans of enforcement against a model of the cloud: carried out in full, they leave nothing over its limit but what they say."""

from __future__ import annotations

import dataclasses
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from synnefo.cyclades.enforcement import plan as planning
from synnefo.cyclades.enforcement.plan import Do, Holding, Item, Kind, Plan, Rules, make_plan

HARD = tuple(name for name, (hard, _) in planning.DESCRIPTIONS.items() if hard)
SOFT = tuple(name for name, (_, soft) in planning.DESCRIPTIONS.items() if soft)
USERS, PROJECTS = ("u1", "u2", "u3"), ("p1", "p2")
QUICK = settings(max_examples=150, deadline=None)


@st.composite
def clouds(draw: st.DrawFn) -> list[Item]:
    items, volume_id = [], 0
    for number in range(draw(st.integers(0, 8))):
        user, project = draw(st.sampled_from(USERS)), draw(st.sampled_from(PROJECTS))
        state = draw(st.sampled_from(["ERROR", "BUILD", "STOPPED", "STARTED", "RESIZE"]))
        backend = draw(st.sampled_from(["one", "two", None]))
        cpu = draw(st.integers(1, 4))
        shares = {planning.VM: 1, planning.TOTAL_CPU: cpu, planning.TOTAL_RAM: cpu * 512}
        if state in {"ERROR", "BUILD", "STARTED"}:
            shares |= {planning.CPU: cpu, planning.RAM: cpu * 512}
        items.append(Item(Kind.SERVER, number, user, project, state, backend, shares))
        for index in range(draw(st.integers(0, 3))):
            volume_id += 1
            items.append(Item(Kind.VOLUME, volume_id, draw(st.sampled_from(USERS)), draw(st.sampled_from(PROJECTS)), "IN_USE", backend,
                              {planning.DISK: draw(st.integers(1, 5))}, server_id=number, index=index))
    servers = [item.id for item in items if item.kind == Kind.SERVER]
    for number in range(draw(st.integers(0, 4))):
        server = draw(st.sampled_from([None, *servers]))
        items.append(Item(Kind.ADDRESS, number, draw(st.sampled_from(USERS)), draw(st.sampled_from(PROJECTS)), "free", None,
                          {planning.FLOATING_IP: 1}, server_id=server))
    for _ in range(draw(st.integers(0, 3))):
        volume_id += 1
        items.append(Item(Kind.VOLUME, volume_id, draw(st.sampled_from(USERS)), draw(st.sampled_from(PROJECTS)), "AVAILABLE", None,
                          {planning.DISK: draw(st.integers(1, 5))}, index=0))
    return items


limits = st.fixed_dictionaries({name: st.integers(0, 6) for name in planning.DESCRIPTIONS})
options = st.builds(Rules, resources=st.lists(st.sampled_from(HARD), unique=True).map(tuple), remove_system_volumes=st.booleans(),
                    cascade_remove=st.booleans())


def holdings(items: list[Item], allowed: dict[str, int]) -> list[Holding]:
    """Every counter, as the ledger would have it; a project may use twice what a member may."""
    found = []
    for project in PROJECTS:
        for resource, limit in allowed.items():
            scale = 512 if "ram" in resource else 1
            inside = [item for item in items if item.project_id == project]
            total = sum(item.shares.get(resource, 0) for item in inside)
            found.append(Holding(project, "", resource, limit * 2 * scale, total, 0))
            for user in USERS:
                used = sum(item.shares.get(resource, 0) for item in inside if item.user_id == user)
                found.append(Holding(user, project, resource, limit * scale, used, 0))
    return found


def applied(items: list[Item], plan: Plan) -> list[Item]:
    """What is left when every action was carried out."""
    left = []
    for item in items:
        action = plan.actions.get(item.key)
        if action is not None and action.do == Do.REMOVE:
            continue
        host = plan.actions.get((Kind.SERVER, item.server_id)) if item.server_id is not None else None
        assert not (item.kind == Kind.VOLUME and host is not None and host.do == Do.REMOVE), "a server's volumes go with it"
        if action is not None and action.do == Do.SHUTDOWN:
            left.append(dataclasses.replace(item, state="STOPPED", shares={
                name: share for name, share in item.shares.items() if name not in {planning.CPU, planning.RAM}}))
        else:
            left.append(item)
    return left


@QUICK
@given(clouds(), limits, options)
def test_what_a_plan_resolves_is_within_limits_afterwards(items: list[Item], allowed: dict[str, int], rules: Rules) -> None:
    plan = make_plan(holdings(items, allowed), items, rules)
    unresolved = {(item.holding.holder, item.holding.source, item.holding.resource) for item in plan.unresolved}
    for holding in holdings(applied(items, plan), allowed):
        if holding.resource in rules.resources and (holding.holder, holding.source, holding.resource) not in unresolved:
            assert holding.usage <= holding.limit


@QUICK
@given(clouds(), limits, options, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(items: list[Item], allowed: dict[str, int], rules: Rules, rng: random.Random) -> None:
    counters = holdings(items, allowed)
    first = make_plan(counters, items, rules)
    shuffled = [rng.sample(counters, len(counters)), rng.sample(items, len(items)), rng.sample(rules.resources, len(rules.resources))]
    second = make_plan(shuffled[0], shuffled[1], dataclasses.replace(rules, resources=tuple(shuffled[2])))
    assert {key: (item.do, item.violation) for key, item in first.actions.items()} == {
        key: (item.do, item.violation) for key, item in second.actions.items()}
    assert [(item.number, item.holding, item.remaining) for item in first.violations] == [
        (item.number, item.holding, item.remaining) for item in second.violations]


@QUICK
@given(clouds(), limits, st.lists(st.sampled_from(SOFT), unique=True, min_size=1))
def test_soft_enforcement_removes_nothing(items: list[Item], allowed: dict[str, int], soft: list[str]) -> None:
    plan = make_plan(holdings(items, allowed), items, Rules((), tuple(soft)))
    removed = [action.item for action in plan.actions.values() if action.do == Do.REMOVE]
    assert all(item.state == "ERROR" or item.server_id is not None for item in removed), "only what failed to build, which cannot be stopped"
    assert all(item.kind != Kind.ADDRESS for item in removed)


@QUICK
@given(clouds(), limits, st.sampled_from([planning.CPU, planning.VM, planning.FLOATING_IP]))
def test_no_more_is_planned_than_needed(items: list[Item], allowed: dict[str, int], resource: str) -> None:
    counters = [item for item in holdings(items, allowed) if item.resource == resource and not item.source]
    plan = make_plan(counters, items, Rules((resource,), cascade_remove=True))
    for violation in plan.violations:
        shares = [action.item.shares.get(resource, 0) for action in plan.actions.values()
                  if action.violation == violation.number and action.item.shares.get(resource)]
        excess = violation.holding.usage - violation.holding.limit
        assert sum(shares[:-1]) < excess, "the last one was needed"
        assert violation.remaining == excess - sum(shares)


@QUICK
@given(clouds(), limits, options, st.sampled_from(USERS))
def test_objects_of_excluded_users_are_spared(items: list[Item], allowed: dict[str, int], rules: Rules, spared: str) -> None:
    alone = [dataclasses.replace(item, user_id=next(one.user_id for one in items if one.kind == Kind.SERVER and one.id == item.server_id))
             if item.kind == Kind.VOLUME and item.server_id is not None else item for item in items]
    counters = [item for item in holdings(alone, allowed) if item.holder != spared]
    plan = make_plan(counters, alone, rules, excluded_users=frozenset({spared}))
    assert all(action.item.user_id != spared for action in plan.actions.values())


@QUICK
@given(clouds(), limits, options)
def test_disks_to_boot_from_stay_unless_asked_for(items: list[Item], allowed: dict[str, int], rules: Rules) -> None:
    plan = make_plan(holdings(items, allowed), items, dataclasses.replace(rules, resources=(planning.DISK,), remove_system_volumes=False))
    assert all(not action.item.is_system_volume and action.item.kind == Kind.VOLUME for action in plan.actions.values())


@QUICK
@given(clouds(), limits, options, st.integers(0, 3))
def test_the_cap_counts_by_backend(items: list[Item], allowed: dict[str, int], rules: Rules, cap: int) -> None:
    plan = make_plan(holdings(items, allowed), items, rules)
    chosen, everything = plan.capped(cap), plan.in_order()
    for backend in ("one", "two"):
        of_backend = [action for action in everything if action.item.backend == backend]
        assert [action for action in chosen if action.item.backend == backend] == of_backend[:cap]
    assert [action for action in chosen if action.item.backend is None] == [action for action in everything if action.item.backend is None]


@QUICK
@given(clouds(), limits, options)
def test_pending_counters_are_left_alone(items: list[Item], allowed: dict[str, int], rules: Rules) -> None:
    counters = [dataclasses.replace(item, pending=1) for item in holdings(items, allowed)]
    plan = make_plan(counters, items, rules)
    assert (plan.violations, plan.actions) == ([], {})
    assert len(plan.warnings) == len(rules.resources) * len(PROJECTS) * (1 + len(USERS))


def test_servers_go_by_state_and_then_newest_first() -> None:
    states = {1: "STARTED", 2: "STOPPED", 10: "STOPPED", 3: "BUILD", 4: "ERROR", 5: "RESIZE"}
    items = [Item(Kind.SERVER, number, "u1", "p1", state, None, {planning.VM: 1}) for number, state in states.items()]
    plan = make_plan([Holding("p1", "", planning.VM, 0, 6, 0)], items, Rules((planning.VM,)))
    assert [action.item.id for action in plan.actions.values()] == [4, 3, 10, 2, 5, 1]


def test_an_address_follows_what_is_planned_for_its_server() -> None:
    servers = [Item(Kind.SERVER, number, "u1", "p1", "STARTED", None, {planning.CPU: 1}) for number in (1, 2)]
    addresses = [Item(Kind.ADDRESS, 10 + number, "u1", "p1", "attached", None, {planning.FLOATING_IP: 1}, server_id=number) for number in (1, 2)]
    free = Item(Kind.ADDRESS, 1, "u1", "p1", "free", None, {planning.FLOATING_IP: 1})
    counters = [Holding("p1", "", planning.CPU, 1, 2, 0), Holding("p1", "", planning.FLOATING_IP, 1, 3, 0)]
    plan = make_plan(counters, [*servers, *addresses, free], Rules((planning.FLOATING_IP, planning.CPU)))
    assert [(action.item.kind, action.item.id, action.do) for action in plan.in_order()] == [
        (Kind.ADDRESS, 1, Do.REMOVE), (Kind.ADDRESS, 12, Do.REMOVE), (Kind.SERVER, 2, Do.SHUTDOWN)]
