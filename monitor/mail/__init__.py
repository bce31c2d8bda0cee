"""What the monitor says by mail, in Turkish and English, and how it travels."""
