"""The live state: what pages and metrics show without asking the database.

``state.py`` holds it, ``updates.py`` changes it after each commit, ``figures.py`` brings the subscriptions' figures up
to date after each sweep, ``telemetry.py`` counts what the monitor does.
"""
