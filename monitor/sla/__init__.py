"""The agreement as pure functions: frozen facts in, frozen figures out; each rule cites its clause.

``terms.py`` has products, levels and the terms in force; ``timeline.py`` turns results into time; ``availability.py``
and ``credits.py`` compute an account; ``exclusions.py``, ``maintenance.py``, ``claims.py``, ``hardware.py``,
``tickets.py`` and ``quotas.py`` have one subject each. docs/contract.md describes this package.
"""
