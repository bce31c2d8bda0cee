"""The daemon's work: probing on schedule, recording results, sending mail, updating the live state.

Start in ``engine.py``: ``Engine`` starts and drains everything and swaps the configuration (``reload.py`` prepares it).
A result goes ``probing/`` -> ``recorder.py`` -> ``live/``; ``mail_dispatcher.py`` sends mail; ``jobs/`` has one file
for each regular job. Skip at first: ``gc_control.py`` and ``cooperative.py``, which keep the event loop responsive.
"""
