"""The sentences of every mail, by language.

``catalog.py`` declares which sentences there are; ``english.py`` and ``turkish.py`` have them all.
"""
