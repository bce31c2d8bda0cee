"""TLS on any port: the chain, the name, the days left and the lowest version."""
