"""What mails say, and how they leave.

Call ``compose.compose`` with one of the contents of ``content.py`` or ``claim_content.py``: it renders the template of
that mail in the recipient's language, ``templates/<language>/<mail>.j2``, as subject, text and HTML. ``message.py``
makes a message of it, and ``delivery/`` sends it. A first reader may skip ``environment.py`` (the filters of the
templates) and ``reasons.py``.
"""
