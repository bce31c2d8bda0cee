"""Accounts of subscriptions over a window, as of a moment.

Start with ``accounts.LedgerView``: it reads the facts once and computes accounts, outages and exclusions.
``credits.py`` computes the credits of a month, ``explain.py`` explains one instant, ``status.py`` reads the present
state of servers.
"""
