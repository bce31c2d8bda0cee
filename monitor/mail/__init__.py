"""What the monitor mails, in Turkish and English, and how it is delivered.

``content.py`` has one class for each mail: the facts in it. ``rendering/compose.py`` turns one into text and HTML,
``message.py`` into a MIME message, ``delivery/`` sends it. ``languages/`` holds the sentences.
"""
