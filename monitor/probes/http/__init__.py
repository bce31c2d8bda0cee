"""HTTP and HTTPS.

``probe.py`` judges a page; ``client.py`` gets it by callbacks, redirects included; ``request.py`` is what is sent,
``response.py`` what comes back, ``expectations.py`` what it must be. To skip at first: ``client.CallbackConnection``,
``content_coding.py``.
"""
