"""The figures that the page and the metrics show, updated after each sweep instead of computed from scratch.

Call ``figures.LiveFigures`` (``catch_up`` in the reader's thread, then ``advance`` on the loop) and
``self_check.find_mismatches``, which compares it with the accounts. ``classified_time`` and ``window_figures`` are
their pure parts: the class of every instant with cumulative sums, and the figures of a window. An account,
report or credit never reads any of this; ``monitor/sla/availability.py`` computes the same from scratch: read that
first.
"""
