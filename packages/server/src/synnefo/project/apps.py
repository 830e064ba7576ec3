from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "synnefo.project"
    label = "project"

    def ready(self) -> None:
        from synnefo.common import logging
        from synnefo.project import checks, wiring  # noqa: F401 - the checks register themselves

        logging.configure()
        wiring.connect()
