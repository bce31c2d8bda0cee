"""The live state, which pages and metrics show without reading the database.

``state.py`` holds it, ``updates.py`` changes it after each commit, ``figures.py`` updates the subscriptions' figures
after each sweep, ``telemetry.py`` counts the monitor's own work.
"""
