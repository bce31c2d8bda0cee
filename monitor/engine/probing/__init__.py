"""Runs checks: from a slot of the schedule to a result.

``scheduler.py`` computes when a server is due, ``runner.py`` runs the checks of a slot, ``running_checks.py`` tracks
the checks that run and finds when a sweep is complete. ``concurrency.py`` limits the checks in all and per endpoint;
``connectivity.py`` probes the canaries before a failure counts.
"""
