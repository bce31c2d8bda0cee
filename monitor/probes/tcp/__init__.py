"""TCP: a port accepts a connection, and a script of send and expect runs through."""
