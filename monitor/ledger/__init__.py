"""The ledger: how facts come in, and what is read out of them.

Each function runs inside a transaction that its caller holds, and takes the database as its first argument. Results
come in by ``results/``; figures are read by ``accounts/``. ``terms.py`` has the terms in force, ``exclusions.py`` and
``maintenance.py`` the facts that excuse, ``verify.py`` recomputes everything. ``live/`` is for the engine alone.
"""
