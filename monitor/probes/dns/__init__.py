"""DNS: a question over UDP, over TCP where the answer is truncated.

``probe.py`` asks and judges; ``message.py`` parses an answer record by record, ``records.py`` the expected values.
"""
