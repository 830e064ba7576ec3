from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand
from synnefo.cyclades.models import Backend
from synnefo.cyclades.reconcilers import servers
from synnefo.cyclades.services import backends

FIXES = {
    "stale": ("stale", "servers whose instance does not exist"),
    "orphans": ("orphan", "instances whose server was deleted: they are removed from the cluster"),
    "unsynced": ("operstate", "servers whose running state differs"),
    "unsynced-nics": ("nics", "servers whose NICs differ"),
    "unsynced-flavors": ("flavor", "servers whose CPUs or memory differ"),
    "pending-tasks": ("task", "servers that wait for a job that has ended"),
}


class Command(BaseCommand):
    help = "Compare the servers of the database with the instances of every backend that is online, and make them agree."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--backend-id", metavar="BACKEND", help="Only this one: number or cluster name.")
        for name, (_, what) in FIXES.items():
            parser.add_argument(f"--fix-{name}", action="store_true", help=f"Repair {what}.")
        parser.add_argument("--fix-all", action="store_true", help="Repair everything.")
        parser.add_argument("--force", action="store_true", help="Remove orphans even when they are suspiciously many.")

    def handle(self, *args: Any, **options: Any) -> None:
        online = Backend.objects.filter(offline=False).order_by("id")
        wanted = [backends.get_backend(options["backend_id"])] if options["backend_id"] else list(online)
        findings, failures = servers.observe_all(wanted)
        for item in findings:
            self.line(f"D: {item.kind}: server {item.server_id} in {item.backend.clustername}: {item.text}")
        kinds = {kind for name, (kind, _) in FIXES.items() if options["fix_all"] or options[f"fix_{name.replace('-', '_')}"]}
        chosen = [item for item in findings if item.kind in kinds]
        left = servers.repair(chosen, force=options["force"])
        for item in chosen:
            if item not in left:
                self.line(f"F: {item.kind}: server {item.server_id} in {item.backend.clustername}")
        for item in left:
            self.note(f"Left alone: {item.kind} of server {item.server_id}. Look at the log; many orphans at once need --force.")
        for name, reason in failures.items():
            self.note(f"Not checked: {name}: {reason}")
        if left or failures or len(chosen) < len(findings):
            self.problems_found()
