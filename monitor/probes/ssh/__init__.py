"""SSH: the banner and the key exchange, up to the proof of the host key.

``probe.py`` runs the session; ``key_exchange.py`` verifies the proof where a key is pinned, ``strings.py`` has SSH's
encoding.
"""
