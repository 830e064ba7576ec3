from django.apps import AppConfig


class AstakosConfig(AppConfig):
    name = "synnefo.astakos"
    label = "astakos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from synnefo.astakos import signals  # noqa: F401 - connects
