"""URLs of the web interface."""

from django.urls import URLPattern, URLResolver, path

from synnefo.web.views import machines, overview, storage

urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview.overview, name="overview"),
    path("usage", overview.show_usage, name="usage"),
    path("api-access", overview.api_access, name="api-access"),
    path("machines", machines.index, name="machines"),
    path("machines/create", machines.create, name="machine-create"),
    path("machines/<int:server_id>", machines.show, name="machine"),
    path("machines/<int:server_id>/console", machines.console, name="machine-console"),
    path("machines/<int:server_id>/ticket", machines.ticket, name="machine-ticket"),
    path("machines/<int:server_id>/<slug:action>", machines.act, name="machine-action"),
    path("console", machines.console_by_token, name="console"),
    path("containers", storage.containers, name="containers"),
    path("containers/<str:container>/hashmap", storage.upload_hashmap, name="upload-hashmap"),
    path("containers/<str:container>/block", storage.upload_block, name="upload-block"),
    path("containers/<str:container>/delete", storage.delete, name="file-delete"),
    path("containers/<str:container>/folder/<path:prefix>", storage.folder, name="folder"),
    path("containers/<str:container>/folder/", storage.folder, {"prefix": ""}, name="container"),
    path("containers/<str:container>/file/<path:name>", storage.download, name="file"),
]
