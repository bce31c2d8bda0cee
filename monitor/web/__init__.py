"""What a browser and Prometheus are shown, out of what the engine keeps in memory; never out of the database."""
