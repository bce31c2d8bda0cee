"""NTP: a time server answers a request and is synchronised."""
