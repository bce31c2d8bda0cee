"""SSH: the banner and the key exchange, up to the proof of the host key.

``probe.py`` runs the session; ``key_exchange.py`` verifies the proof where a key is pinned, by a method of
``kex_methods.py`` (``sntrup761.py`` is the post-quantum one that no library has); ``strings.py`` has SSH's encoding.
"""
