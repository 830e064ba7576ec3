from django.apps import AppConfig


class QuotaholderConfig(AppConfig):
    name = "synnefo.astakos.quotaholder"
    label = "quotaholder"
    default_auto_field = "django.db.models.BigAutoField"
