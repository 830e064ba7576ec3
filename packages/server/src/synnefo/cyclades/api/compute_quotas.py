"""Quota sets of the compute API, read-only: limits are the projects' affair."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse

from synnefo.common.errors import Forbidden
from synnefo.common.ports import INFINITE, QuotaUsage, quota
from synnefo.common.settings import conf
from synnefo.cyclades.api.compute_call import Call

COUNTED = {"instances": ("cyclades.vm", 1), "cores": ("cyclades.cpu", 1), "ram": ("cyclades.ram", 2**20),
           "floating_ips": ("cyclades.floating_ip", 1), "networks": ("cyclades.network.private", 1)}
"""Key: (resource, how many of its units make one)."""
UNLIMITED = ("fixed_ips", "injected_file_path_bytes", "security_groups", "security_group_rules", "server_group_members", "server_groups")


def show_quota_set(call: Call, project: str) -> HttpResponse:
    """What the caller can reach in a project; -1 is no limit. Raises `Forbidden` for projects of others."""
    return JsonResponse({"quota_set": {"id": project} | {key: value["limit"] for key, value in _details(call, project).items()}})


def show_quota_set_detail(call: Call, project: str) -> HttpResponse:
    """As `show_quota_set`, with what is in use and what commissions reserve."""
    return JsonResponse({"quota_set": {"id": project, **_details(call, project)}})


def refuse_quota_set_change(_call: Call, _project: str) -> HttpResponse:
    raise Forbidden("Quotas are set by the operator and by projects.")


def _details(call: Call, project: str) -> dict[str, dict[str, int]]:
    caller = call.caller
    mine = next((known for known in (*caller.project_ids, caller.project_id) if known == project), None)
    if mine is None:
        raise Forbidden("You are not a member of that project.")
    usages = quota("cyclades").usages(user_ids=[caller.user_id], project_ids=[mine]).get(caller.user_id, {}).get(mine, {})
    fixed = {"key_pairs": conf.USERDATA_MAX_SSH_KEYS_PER_USER, "metadata_items": conf.CYCLADES_VM_MAX_METADATA,
             "injected_files": conf.MAX_PERSONALITY, "injected_file_content_bytes": conf.MAX_PERSONALITY_SIZE}
    fixed |= dict.fromkeys(UNLIMITED, -1)
    return {key: _counted(usages.get(resource), scale) for key, (resource, scale) in COUNTED.items()} | {
        key: {"limit": limit, "in_use": 0, "reserved": 0} for key, limit in fixed.items()}


def _counted(usage: QuotaUsage | None, scale: int) -> dict[str, int]:
    """`usage` covers what is pending; the API tells the two apart."""
    if usage is None:
        return {"limit": 0, "in_use": 0, "reserved": 0}
    limit = min(usage.limit, usage.project_limit - (usage.project_usage - usage.usage))
    return {"limit": -1 if limit >= INFINITE // 2 else max(0, limit) // scale, "in_use": (usage.usage - usage.pending) // scale,
            "reserved": usage.pending // scale}
