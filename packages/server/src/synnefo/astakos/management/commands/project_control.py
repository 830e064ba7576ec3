from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.models import Project
from synnefo.astakos.services import applications, project_expiry, project_states
from synnefo.astakos.services.project_status import status_of
from synnefo.common.commands import PARTIAL, BaseCommand, CommandError, object_id
from synnefo.common.errors import NotFound

_STATES = {"terminate": project_states.terminate, "suspend": project_states.suspend, "unsuspend": project_states.unsuspend,
           "reinstate": project_states.reinstate}
_HELP = {"terminate": "End a project: limits become 0, its name is free.", "suspend": "Make all limits of a project 0 for a while.",
         "unsuspend": "End the suspension of a project.", "reinstate": "Bring a terminated project back."}


class Command(BaseCommand):
    help = "Answer applications, and suspend, end and bring back projects. Exactly one operation."

    def add_arguments(self, parser: CommandParser) -> None:
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("--approve", type=object_id("application"), default=None, metavar="APPLICATION", help="Grant what an application asks for.")
        chosen.add_argument("--deny", type=object_id("application"), default=None, metavar="APPLICATION", help="Refuse an application.")
        for name, text in _HELP.items():
            chosen.add_argument(f"--{name}", default=None, metavar="PROJECT", help=text)
        chosen.add_argument("--check-expired", action="store_true", help="List projects that are past their end.")
        chosen.add_argument("--terminate-expired", action="store_true", help="End them.")
        parser.add_argument("-m", "--message", default="", help="Reason, which is stored and mailed.")

    def handle(self, *args: Any, **options: Any) -> None:
        message = options["message"]
        if options["approve"] is not None:
            applications.approve(None, options["approve"], message)
            self.note(f"Application {options['approve']} is approved.")
        elif options["deny"] is not None:
            applications.deny(None, options["deny"], message)
            self.note(f"Application {options['deny']} is denied.")
        elif options["check_expired"] or options["terminate_expired"]:
            self._expired(options)
        else:
            name = next(name for name in _STATES if options[name] is not None)
            uuid = _uuid_of(options[name])
            _STATES[name](None, uuid, message)
            self.note(f"{name}: project {uuid}.")

    def _expired(self, options: dict[str, Any]) -> None:
        found = project_states.expired()
        if found:
            self.table(("project", "name", "status", "expiration date"),
                       [(item.uuid, item.realname, status_of(item), item.end_date) for item in found], options)
        self.note(f"{len(found)} projects are past their end.")
        if not options["terminate_expired"]:
            return
        ended = project_expiry.terminate_expired(options["message"] or project_expiry.REASON)
        self.note(f"{len(ended)} projects are terminated.")
        if len(ended) < len(found):
            raise CommandError(f"{len(found) - len(ended)} projects could not be terminated.", code=PARTIAL)


def _uuid_of(text: str) -> str:
    """A uuid, or the number that old installations used. Raises `NotFound`."""
    if not text.isdecimal():
        return text
    found = Project.objects.filter(pk=int(text)).values_list("uuid", flat=True).first() if len(text) < 19 else None
    if found is None:
        raise NotFound(f"Project {text[:36]} does not exist. Try: snf-manage project-list")
    return found
