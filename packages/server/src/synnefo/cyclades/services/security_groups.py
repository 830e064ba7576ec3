"""The three built-in, read-only security groups: each stands for a firewall profile of a port."""

from __future__ import annotations

from dataclasses import dataclass

from synnefo.common.errors import InvalidInput, NotFound, NotSupported


@dataclass(frozen=True, slots=True)
class Rule:
    number: int
    group: int
    direction: str
    ethertype: str
    protocol: str | None = None
    port_min: int | None = None
    port_max: int | None = None


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    number: int
    name: str
    profile: str
    description: str
    rules: tuple[Rule, ...]


def _rules(group: int, *ingress: tuple[str | None, int | None]) -> tuple[Rule, ...]:
    """Everything may leave; from outside the given (protocol, port) pairs, for both IP versions."""
    wanted: list[tuple[str, str | None, int | None]] = [("egress", None, None)]
    wanted += [("ingress", protocol, port) for protocol, port in ingress]
    rules = [
        (direction, ethertype, protocol, port) for direction, protocol, port in wanted for ethertype in ("IPv4", "IPv6")
    ]
    return tuple(
        Rule(group * 100 + number, group, direction, ethertype, protocol, port, port)
        for number, (direction, ethertype, protocol, port) in enumerate(rules, start=1)
    )


UNFILTERED = "DISABLED"
GROUPS = (
    SecurityGroup(1, "default", "DISABLED", "Everything is let through.", _rules(1, (None, None))),
    SecurityGroup(2, "limited", "PROTECTED", "From outside only replies, ICMP, ssh and remote desktop.",
                  _rules(2, ("icmp", None), ("tcp", 22), ("tcp", 3389))),
    SecurityGroup(3, "protected", "ENABLED", "From outside only replies and ICMP.", _rules(3, ("icmp", None))),
)


def group_of_profile(profile: str | None) -> str | None:
    """The id of the group that stands for a profile."""
    return next((str(group.number) for group in GROUPS if group.profile == profile), None)


def profile_of_groups(ids: list[int]) -> str | None:
    """The profile a port gets from its `security_groups`.

    Raises `NotFound`, `InvalidInput` for more than one, and `NotSupported` for one that filters: the nodes do not filter
    yet, and a server must not look protected when it is not.
    """
    if len(ids) > 1:
        raise InvalidInput("A port has one of the built-in security groups at most.", field="security_groups")
    for number in ids:
        group = next((group for group in GROUPS if group.number == number), None)
        if group is None:
            raise NotFound(f"There is no security group {number}.")
        if group.profile != UNFILTERED:
            raise NotSupported("This cloud does not filter the traffic of servers yet. Use the default security group.")
        return group.profile
    return None
