"""Turns results into runs, outages, journal entries and mails.

``recording.Recording`` records measured results sweep by sweep; ``importing.import_results`` imports history.
"""
