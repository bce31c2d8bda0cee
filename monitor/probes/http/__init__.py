"""HTTP and HTTPS.

``probe.py`` judges a page; ``client.py`` gets it by callbacks, redirects included; ``messages.py`` has the request and
the response, ``expectations.py`` what a response must be. To skip at first: ``client.CallbackConnection``.
"""
