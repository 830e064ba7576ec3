from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from synnefo.common.commands import Field, ShowCommand, object_id
from synnefo.common.errors import NotFound
from synnefo.cyclades.models import Server


class Command(ShowCommand):
    help = "Show a server as the database has it; server-inspect asks Ganeti too."
    kind = "server"
    argument = "server"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"), "name": Field("name", "Name"), "user.uuid": Field("user_id", "Owner"),
        "project": Field("project_id", "Project that is charged"), "flavor": Field("flavor__name", "Flavor"),
        "image.id": Field("image_id", "Image it was made from"), "operstate": Field("operstate", "State that Ganeti last reported"),
        "task": Field("task", "Action under way"), "task_job": Field("task_job_id", "Its Ganeti job"),
        "suspended": Field("suspended", "Whether an operator has suspended it"), "deleted": Field("deleted", "Whether it is deleted"),
        "backend": Field("backend__clustername", "Cluster it runs on"), "job": Field("backendjobid", "Last Ganeti job"),
        "opcode": Field("backendopcode", "Its opcode"), "job_status": Field("backendjobstatus", "Its status"),
        "log": Field("backendlogmsg", "Its last message"), "created": Field("created_at", "Creation time"),
        "updated": Field("updated_at", "Time of the last change"),
    }

    def find(self, text: str, options: Mapping[str, Any]) -> object:
        server = Server.objects.select_related("flavor__volume_type", "backend").filter(pk=object_id("server")(text)).first()
        if server is None:
            raise NotFound(f"Server with ID {text} does not exist. Try: snf-manage server-list")
        return server
