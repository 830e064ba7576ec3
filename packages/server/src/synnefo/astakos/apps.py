from django.apps import AppConfig


class AstakosConfig(AppConfig):
    name = "synnefo.astakos"
    label = "astakos"
    default_auto_field = "django.db.models.BigAutoField"
