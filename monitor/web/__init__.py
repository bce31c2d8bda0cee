"""The web pages and the metrics, served from memory and never from the database.

``server.py`` has the routes, ``page.py`` the operators' page, ``metrics/`` the page for Prometheus, ``health.py`` the
problems behind ``/readyz``; ``access.py`` decides who may see the operators' page.
"""
