"""The Django project: the only package that knows all services. It plugs them together and starts them."""
