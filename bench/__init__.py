"""Measurements, ours beside others' in the same run: ``python -m bench``. Nothing here is asserted.

A part is a module of this folder with a click command ``main`` that returns a list of ``bench.report.Row``; its
docstring says what it measures. Its options have defaults with which ``python -m bench all`` runs it; an option
``seconds`` is how long each of its measurements lasts. A part says itself which of its peers is missing, by a row's
note. Loads stay on 127.0.0.0/8, and ports within ``bench.isolation.PORTS``. A row without a goal is for information.
"""
