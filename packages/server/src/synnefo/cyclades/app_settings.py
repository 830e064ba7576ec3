"""Settings of cyclades, declared in the registry."""

from typing import Annotated, Any

from pydantic import IPvAnyNetwork, StringConstraints

from synnefo.common.settings import conf


def _declare(name: str, type_: Any, default: Any, help_: str, **extra: Any) -> None:
    conf.declare("cyclades", name, type_, default, help_, **extra)


# Networks.
_declare("DEFAULT_MAC_PREFIX", str, "aa:00:0", "MAC prefix (five digits) of networks whose flavor has none of its own.")
_declare("DEFAULT_BRIDGE", str, "br0", "Bridge of CUSTOM networks.")
_declare("DEFAULT_MAC_FILTERED_BRIDGE", str, "prv0", "Bridge that all MAC_FILTERED networks share.")
_declare("API_ENABLED_NETWORK_FLAVORS", list[str], ["MAC_FILTERED"], "Network types that users may create.")
_declare("CYCLADES_NETWORK_FLAVORS", dict[str, dict[str, Any]], {}, "Network types of this site, over the built-in ones.")
_declare("CYCLADES_DEFAULT_NETWORK_TYPE", str | None, "",
         "Type of a network whose request names none; empty: the first enabled one; None: the request is refused.")
_declare("MAX_CIDR_BLOCK", int, 22, "Shortest IPv4 prefix of a user's subnet.")
_declare("CYCLADES_PUBLIC_MAX_CIDR_BLOCK", int, 16, "Shortest IPv4 prefix of a public subnet.")
_declare("CYCLADES_FORCED_SERVER_NETWORKS", list[Any], [],
         "Networks every new server is connected to: ids, SNF:ANY_PUBLIC[_IPV4|_IPV6], or lists of these (first that works).")
_declare("CYCLADES_DEFAULT_SERVER_NETWORKS", list[Any], [],
         "Networks of a new server whose request names none; with the access rules and quota of that request.")
_declare("GANETI_MAX_NICS_PER_INSTANCE", int, 8, "NICs a server may have.")
_declare("DEFAULT_FIREWALL_PROFILE", str, "DISABLED", "Firewall profile of public NICs without a firewall tag.")
_declare("CYCLADES_ASSIGN_MAC", bool, True, "Choose MAC addresses here instead of leaving that to Ganeti.")
_declare("CYCLADES_MAX_PORTS_PER_NETWORK", int, 4096, "Ports a private network may have.")
_declare("CYCLADES_SUBNET_DELETE_ENABLED", bool, True, "Let users delete unused subnets; otherwise they go with the network.")
_declare("CYCLADES_DEFAULT_MTU", int, 1500, "MTU shown for networks.", unit="bytes")

# Ganeti's remote API and its events.
_declare("BACKEND_PREFIX_ID", Annotated[str, StringConstraints(pattern=r"^[a-z0-9.]+-[a-z0-9.-]*$")], "snf-",
         "What the names of our objects in Ganeti begin with: lower-case letters, digits, dots and at least one dash.")
_declare("GANETI_RAPI_TIMEOUT", float, 60.0, "Longest wait for an answer of a cluster.", unit="seconds")
_declare("GANETI_RAPI_CONNECT_TIMEOUT", float, 5.0, "Longest wait for a connection to a cluster.", unit="seconds")
_declare("GANETI_RAPI_MAX_CONCURRENT", int, 8, "Calls a process has under way to one cluster at most.")
_declare("GANETI_RAPI_INSECURE", bool, False, "Accept any certificate of a cluster. Never where strangers share the network.")
_declare("EVENT_RETRY_LIMIT", int, 5, "Times an event is tried again after a passing failure before it becomes a dead letter.")
_declare("EVENT_RETRY_SECONDS", float, 1.0, "Wait before the first new try of an event; doubled each time.", unit="seconds")
_declare("DISPATCHER_PREFETCH", int, 5, "Events a dispatcher holds unacknowledged.")

# Servers and what happens to them.
_declare("GANETI_CREATEINSTANCE_KWARGS", dict[str, Any],
         {"os": "snf-image+default", "hvparams": {"kvm": {"serial_console": False}, "xen-pvm": {}, "xen-hvm": {}}},
         "Defaults of the instance creation request; `hvparams` by hypervisor.")
_declare("GANETI_USE_HOTPLUG", bool, True, "Change NICs and disks of running servers.")
_declare("GANETI_USE_OPPORTUNISTIC_LOCKING", bool, True, "Let creations lock only the nodes that are free.")
_declare("GANETI_DISKS_WAIT_FOR_SYNC", bool, False, "Wait for mirrored disks before a creation counts as done.")
_declare("GANETI_MAX_DISKS_PER_INSTANCE", int, 8, "Disks a server may have.")
_declare("GANETI_DISK_PROVIDER_KWARGS", dict[str, dict[str, Any]], {}, "Disk parameters by storage provider.")
_declare("BACKEND_PER_USER", dict[str, Any], {}, "Backend (id or cluster name) of the new servers of a user (uuid).")
_declare("BACKEND_REFRESH_MIN", int, 15, "Age of a backend's figures before they are read again.", unit="minutes")
_declare("RECONCILIATION_MIN", int, 30, "Time between two reconciliations by the worker.", unit="minutes")
_declare("STATE_SYNC_SECONDS", int, 60, "Time between two looks at the running state of all servers.", unit="seconds")
_declare("CYCLADES_SUBMIT_WAIT_SECONDS", float, 10.0, "Longest time a request waits for the cluster to take its job.", unit="seconds")
_declare("CYCLADES_BUILD_SUBMIT_TIMEOUT", int, 300, "A build that no cluster took for this long is in error.", unit="seconds")
_declare("CYCLADES_VM_MAX_METADATA", int, 10, "Metadata items of a server.")
_declare("MAX_PERSONALITY", int, 5, "Files that a new server may be given.")
_declare("MAX_PERSONALITY_SIZE", int, 10240, "Size of such a file.", unit="bytes")
_declare("VMAPI_BASE_HOST", str, "", "Root URL under which nodes reach vmapi; empty: that of CYCLADES_BASE_URL.")
_declare("VMAPI_TTL_SECONDS", int, 3600, "How long build parameters are kept for the node to fetch.", unit="seconds")
_declare("VMAPI_RESET_PARAMS", bool, True, "Hand build parameters out once only; otherwise until the build has ended.")
_declare("VMAPI_ALLOWED_NETWORKS", list[IPvAnyNetwork], [], "Networks whose hosts may fetch build parameters; empty is all.")

# All APIs of cyclades.
_declare("POLL_LIMIT", int, 3600, "Oldest time a changes-since may name.", unit="seconds")
_declare("CYCLADES_API_MAX_LIMIT", int, 1000, "Objects on a page of a list at most.")
_declare("CYCLADES_SHARED_RESOURCES_ENABLED", bool, False, "Let users share servers, networks and addresses with a project.")

# Consoles.
_declare("CONSOLE_PROXY_URL", str, "ws://127.0.0.1:8081", "Public address of the console proxy, ws:// or wss://.")
_declare("CONSOLE_TOKEN_SECONDS", int, 60, "How long a console address may be used for the first time.", unit="seconds")
_declare("CONSOLE_IDLE_MINUTES", int, 30, "A console without traffic for this long is closed.", unit="minutes")
_declare("NOVNC_DIR", str, "/usr/share/novnc", "Where noVNC is installed.")

# Users' keys and the APIs.
_declare("USERDATA_MAX_SSH_KEYS_PER_USER", int, 10, "SSH keys a user may keep.")
_declare("USERDATA_SSH_KEY_MAX_CONTENT_LENGTH", int, 30000, "Longest public key.")
