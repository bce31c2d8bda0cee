"""Accounts of subscriptions over a window, as of a moment.

Start with ``accounts.LedgerView``: it reads the facts once and computes accounts, outages and exclusions.
``credits.py`` lists what is owed for a month, ``explain.py`` explains one instant, ``status.py`` the state of servers
now.
"""
