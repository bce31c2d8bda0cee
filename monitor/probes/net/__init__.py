"""What protocols share below them.

``resolver.py`` resolves names (``dns_ttl.py`` for how long), ``tcp_connect.py`` connects (happy eyeballs), ``tls.py``
has contexts and certificates, ``tls_buffer.py`` is TLS without I/O, ``connection.py`` is a connection for coroutines
and the probe over one.
"""
