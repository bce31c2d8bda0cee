"""What a browser and Prometheus get, from memory and never from the database.

``server.py`` has the routes, ``page.py`` the operators' page, ``metrics/`` Prometheus' page, ``health.py`` ``/healthz``
and ``/readyz``; ``access.py`` decides who may ask.
"""
