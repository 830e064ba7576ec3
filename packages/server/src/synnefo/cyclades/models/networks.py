"""Networks, subnets, ports, addresses, a network's presence in a backend, and the history of public addresses."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

NAME_LENGTH = 128


class Described(models.Model):
    """What every resource of the network API carries besides its own columns."""

    description = models.CharField(max_length=255, default="", blank=True)
    tags = models.JSONField(default=list, blank=True)
    revision_number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        abstract = True

    def store(self, *fields: str) -> None:
        """Save these fields (all when none is named) and mark the change: newer `updated_at`, next revision."""
        self.updated_at = timezone.now()
        self.revision_number += 1
        names = {*fields, "updated_at", "revision_number"} if fields else None
        self.save(update_fields=names)


class Network(Described):
    """A layer-2 network. `public` ones belong to the operator; their owner may be null and nobody is charged."""

    PENDING, ACTIVE, DELETED, ERROR = "PENDING", "ACTIVE", "DELETED", "ERROR"
    STATES: ClassVar = [(state, state) for state in (PENDING, ACTIVE, DELETED, ERROR)]
    CREATE, DESTROY = "CREATE", "DESTROY"

    name = models.CharField(max_length=NAME_LENGTH, default="", blank=True)
    user_id = models.CharField(max_length=128, null=True, db_index=True)  # noqa: DJ001 - null: ownerless
    project_id = models.CharField(max_length=255, null=True, db_index=True)  # noqa: DJ001 - null: not charged
    shared_to_project = models.BooleanField(default=False)
    flavor = models.CharField(max_length=32)
    mode = models.CharField(max_length=16)
    link = models.CharField(max_length=32)
    link_is_pooled = models.BooleanField(default=False)
    mac_prefix = models.CharField(max_length=32)
    mac_prefix_is_pooled = models.BooleanField(default=False)
    ganeti_tags = models.JSONField(default=list, blank=True)
    public = models.BooleanField(default=False, db_index=True)
    external_router = models.BooleanField(default=False)
    floating_ip_pool = models.BooleanField(default=False)
    drained = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=STATES, default=ACTIVE)
    action = models.CharField(max_length=16, default=CREATE, blank=True)
    deleted = models.BooleanField(default=False)

    class Meta:
        db_table = "cyclades_network"
        indexes = [models.Index(fields=["deleted", "public", "id"], name="cyclades_network_listing")]

    @property
    def is_being_destroyed(self) -> bool:
        return self.action == self.DESTROY


class Subnet(Described):
    """An IPv4 or IPv6 range on a network, at most one of each version."""

    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="subnets")
    user_id = models.CharField(max_length=128, null=True, db_index=True)  # noqa: DJ001 - as the network's
    public = models.BooleanField(default=False)
    name = models.CharField(max_length=NAME_LENGTH, default="", blank=True)
    ip_version = models.PositiveSmallIntegerField()
    cidr = models.CharField(max_length=64)
    gateway = models.GenericIPAddressField(null=True)
    dhcp = models.BooleanField(default=True)
    host_routes = models.JSONField(default=list, blank=True)
    dns_nameservers = models.JSONField(default=list, blank=True)
    deleted = models.BooleanField(default=False)

    class Meta:
        db_table = "cyclades_subnet"
        constraints = [
            models.UniqueConstraint(
                fields=["network", "ip_version"], condition=models.Q(deleted=False), name="cyclades_subnet_one_per_version",
            ),
            models.CheckConstraint(condition=models.Q(ip_version__in=[4, 6]), name="cyclades_subnet_version"),
        ]


class Port(Described):
    """A virtual NIC. Its row goes when Ganeti no longer has the NIC; `index` is its place in the server."""

    BUILD, ACTIVE, ERROR, DOWN = "BUILD", "ACTIVE", "ERROR", "DOWN"
    STATES: ClassVar = [(state, state) for state in (BUILD, ACTIVE, ERROR, DOWN)]
    PROFILES: ClassVar = [(profile, profile) for profile in ("ENABLED", "DISABLED", "PROTECTED")]
    shown_addresses: list[IPAddress]  # set by the queries of detailed views alone

    name = models.CharField(max_length=NAME_LENGTH, default="", blank=True)
    user_id = models.CharField(max_length=128, db_index=True)
    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="ports")
    server = models.ForeignKey("cyclades.Server", on_delete=models.PROTECT, null=True, related_name="ports")
    index = models.PositiveSmallIntegerField(null=True)
    mac = models.CharField(max_length=17, null=True, unique=True)  # noqa: DJ001 - null: Ganeti will choose
    firewall_profile = models.CharField(max_length=16, choices=PROFILES, null=True)  # noqa: DJ001 - null: none
    state = models.CharField(max_length=16, choices=STATES, default=DOWN)
    public = models.BooleanField(default=False)
    device_owner = models.CharField(max_length=16, null=True)  # noqa: DJ001 - null: not attached
    detaching = models.BooleanField(default=False)
    """A removal job for this NIC was asked for and has not ended."""

    class Meta:
        db_table = "cyclades_port"


class IPAddress(Described):
    """An address in use or kept for somebody. A floating IP outlives the port it is on; others go with their port."""

    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="addresses")
    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="addresses")
    port = models.ForeignKey(Port, on_delete=models.PROTECT, null=True, related_name="addresses")
    user_id = models.CharField(max_length=128, db_index=True)
    project_id = models.CharField(max_length=255, null=True, db_index=True)  # noqa: DJ001 - null: not charged
    shared_to_project = models.BooleanField(default=False)
    address = models.GenericIPAddressField()
    ip_version = models.PositiveSmallIntegerField()
    floating_ip = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False)

    class Meta:
        db_table = "cyclades_ip_address"
        constraints = [
            models.UniqueConstraint(
                fields=["network", "address"], condition=models.Q(deleted=False), name="cyclades_ip_address_live",
            ),
        ]
        indexes = [models.Index(fields=["address"], name="cyclades_ip_address_address")]


class BackendNetwork(models.Model):
    """A network in one Ganeti cluster. The row exists from the first NIC there until the network is gone from it."""

    PENDING, ACTIVE, DELETED, ERROR = "PENDING", "ACTIVE", "DELETED", "ERROR"
    STATES: ClassVar = [(state, state) for state in (PENDING, ACTIVE, DELETED, ERROR)]

    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="backend_networks")
    backend = models.ForeignKey("cyclades.Backend", on_delete=models.PROTECT, related_name="backend_networks")
    state = models.CharField(max_length=16, choices=STATES, default=PENDING)
    mac_prefix = models.CharField(max_length=8)
    """Six hexadecimal digits: the network's five and the backend's index."""
    creation_jobs = models.JSONField(default=list, blank=True)
    """Ids of the jobs that create and connect it; a NIC's job waits for them while the network is not ACTIVE."""
    creation_asked_at = models.DateTimeField(null=True)
    job_id = models.BigIntegerField(null=True)
    opcode = models.CharField(max_length=64, default="", blank=True)
    job_status = models.CharField(max_length=16, default="", blank=True)
    log_message = models.TextField(default="", blank=True)
    event_at = models.DateTimeField(null=True)
    """Time of the last event that was applied; older ones are dropped."""
    deleted = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "cyclades_backend_network"
        constraints = [
            models.UniqueConstraint(fields=["network", "backend"], name="cyclades_backend_network_once"),
        ]


class IPHistory(models.Model):
    """Who had a public address on which server, and when. Append-only; plain values that outlive every other row."""

    ASSOCIATE, DISASSOCIATE = "associate", "disassociate"
    ACTIONS: ClassVar = [(ASSOCIATE, ASSOCIATE), (DISASSOCIATE, DISASSOCIATE)]

    address = models.GenericIPAddressField(db_index=True)
    server_id = models.BigIntegerField(db_index=True)
    network_id = models.BigIntegerField(db_index=True)
    user_id = models.CharField(max_length=128, db_index=True)
    action = models.CharField(max_length=16, choices=ACTIONS)
    action_date = models.DateTimeField(default=timezone.now)
    action_reason = models.CharField(max_length=1024, default="", blank=True)

    class Meta:
        db_table = "cyclades_ip_history"
        ordering = ["action_date", "id"]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValidationError("address history is never rewritten")
        super().save(*args, **kwargs)
