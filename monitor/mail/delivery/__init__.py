"""How a message leaves: by SMTP or as a file.

``transport.py`` declares ``MailTransport`` and says when to retry; ``smtp.py`` and ``eml_files.py`` implement it.
"""
