"""What moves: probing on schedule, recording results, sending mail, keeping the live state.

Start in ``engine.py``: ``Engine`` starts and drains everything and swaps the configuration (``reload.py`` prepares it).
A result goes ``probing/`` -> ``recorder.py`` -> ``live/``; mail leaves by ``mail_dispatcher.py``; ``jobs/`` has one
file for each regular job. To skip at first: ``gc_control.py`` and ``cooperative.py``, which keep the event loop
responsive.
"""
