"""From the content of a mail to its subject, text and HTML.

Call ``compose.compose``. One module for each kind of mail fills a ``layout.Sheet``; ``layout.py`` renders it.
"""
