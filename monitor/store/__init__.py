"""SQLite: the only place where SQL is written.

``database.py`` opens the file and runs transactions; ``database_thread.py`` runs work away from the event loop;
``schema.py`` has the migrations. One module for each kind of row: ``journal``, ``results``, ``history`` (runs and
outages), ``outbox``, ``daemon_state``. ``archive/`` keeps results of past hours in packed form.
"""
