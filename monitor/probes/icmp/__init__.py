"""Ping: all checks share one socket for each address family.

``probe.py`` is the check, ``pinger.py`` sends and collects. Below it: ``in_flight.py`` matches replies with requests,
``echo_socket.py`` is the socket, ``batch_io.py`` sends and receives many packets in one system call, ``packets.py``
parses ICMP errors. ``icmplib_pinger.py`` is for other systems than Linux and for ``monitor probe``.
"""
