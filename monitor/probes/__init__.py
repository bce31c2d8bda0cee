"""Ways to look at a server: one file each, one line in the table each."""
