"""Databases: MySQL and MariaDB, Microsoft SQL Server, PostgreSQL.

One module each, with ``run_session``; ``settings.py`` has the keys of all.
"""
