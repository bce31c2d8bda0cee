"""Results of past hours in packed form: about four bytes each.

``hours.py`` reads and writes them, ``compaction.py`` packs rows, ``codec.py`` defines the format, ``sql_views.py``
lets plain SQL read them.
"""
