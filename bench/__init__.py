"""Measurements, compared with other programs in the same run: ``python -m bench``. It asserts nothing.

A part is a module of this folder with a click command ``main`` that returns a list of ``bench.report.Row``; its
docstring describes the measurement. ``python -m bench all`` runs it with the defaults of its options; an option
``seconds`` is the duration of each of its measurements. The note of a row names a missing peer. All traffic stays on
127.0.0.0/8, and on the ports in ``bench.isolation.PORTS``. A row without a goal is for information.
"""
