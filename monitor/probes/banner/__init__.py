"""Line protocols that begin with a banner: SMTP, IMAP, POP3, FTP, Redis.

``protocols.py`` is a table: what is expected and sent, and where TLS starts. ``probe.py`` runs a row of it;
``settings.py`` makes the keys of each.
"""
