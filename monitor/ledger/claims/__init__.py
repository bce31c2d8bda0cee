"""Claims (6.1 to 6.3, docs/contract.md#claims-and-answers).

``claims.py`` opens and lists them, ``answers.py`` computes an answer and records it with its mail.
"""
