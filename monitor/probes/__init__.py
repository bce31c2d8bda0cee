"""Ways to look at a server: a folder for each protocol, with ``settings.py`` (its keys) and ``probe.py``.

``check_types.py`` is the table of all check types; a new type is one row there. ``probe.py`` says what a probe is and
runs a check with its retries, ``trace.py`` records the steps of an attempt, ``failures.py`` decides whose fault a
failure is. ``net/`` has what protocols share: resolver, TCP, TLS, a connection. ``resources.py`` opens what all probes
share.
"""
