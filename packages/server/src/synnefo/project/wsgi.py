"""Entry point of the HTTP server: `gunicorn synnefo.project.wsgi`."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.project.settings")
application = get_wsgi_application()
# What is loaded now stays until the end: the collector need not walk it whenever a long list makes many objects.
gc.collect()
gc.freeze()
