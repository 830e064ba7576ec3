"""Entry point of the HTTP server: `gunicorn synnefo.project.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.project.settings")
application = get_wsgi_application()
