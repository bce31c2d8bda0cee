"""The commitments of the support levels (8.1): hardware replacement, first responses, quotas.

Each module records and reads the facts of one subject; ``deadlines.py`` lists pending deadlines.
"""
