from django.apps import AppConfig


class CycladesConfig(AppConfig):
    name = "synnefo.cyclades"
    label = "cyclades"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Every process may find any operation, so all kinds are registered in all of them.
        from synnefo.cyclades.services import network_operations, server_jobs  # noqa: F401
