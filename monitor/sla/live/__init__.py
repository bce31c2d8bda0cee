"""The account of a running window, kept up to date instead of computed.

``classified_time.py`` keeps what each instant counts as with cumulative sums; ``window_figures.py`` reads the figures
of a window from it. ``availability.py`` computes the same from scratch: read that first.
"""
