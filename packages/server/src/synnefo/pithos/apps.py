from django.apps import AppConfig


class PithosConfig(AppConfig):
    name = "synnefo.pithos"
    label = "pithos"
    default_auto_field = "django.db.models.BigAutoField"
