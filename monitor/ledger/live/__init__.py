"""The figures of all subscriptions, kept up to date from sweep to sweep.

``figures.LiveFigures`` reads only what changed; ``self_check.py`` compares it once a day with the accounts.
"""
