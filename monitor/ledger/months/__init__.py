"""Finished months: their accounts are frozen, later facts become corrections.

``closing.py`` closes a month, ``corrections.py`` records what later facts change, ``retroactive.py`` records facts that
can affect a closed month, ``report.py`` queues the month's report. Outside this package call ``retroactive`` and
``report``.
"""
