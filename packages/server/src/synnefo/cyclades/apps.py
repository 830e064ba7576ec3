from django.apps import AppConfig


class CycladesConfig(AppConfig):
    name = "synnefo.cyclades"
    label = "cyclades"
    default_auto_field = "django.db.models.BigAutoField"
