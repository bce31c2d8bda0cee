"""months."""
