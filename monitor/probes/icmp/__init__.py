"""icmp."""
