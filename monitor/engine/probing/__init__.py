"""When and how checks run: from a slot to a result.

``scheduler.py`` says when, ``runner.py`` runs the checks of a slot under one deadline, ``running_checks.py`` knows what
runs and when a sweep is complete. ``concurrency.py`` limits checks in all and by endpoint; ``connectivity.py`` asks the
canaries before a failure counts.
"""
