"""Results become runs, outages, journal entries and mails.

``recording.Recording`` records what is probed, sweep by sweep; ``importing.import_results`` records history.
"""
