"""The configuration: read whole, checked whole, then frozen.

:func:`load` gives a :class:`Config` or a ConfigError with every fault of every file; nothing in between exists.

What a table may hold is declared, not programmed: ``tables.py`` is a list of keys with their kinds and defaults,
``kinds.py`` says what each kind of value allows, and a check type's own keys are read from the fields of its settings.
The decoder behind it is our own and small: a schema library would cost more start-up than everything else that the
command line does, and its messages would still have to be rewritten into file, table, key, value and what is allowed.

Looking to add a key? Start in ``tables.py``. A check type? It needs no change here. A rule between two tables?
``references.py``.
"""

from monitor.config.dump import config_document, config_summary, dump_toml
from monitor.config.load import load
from monitor.config.settings import Config, ContractSettings, EmailSettings, MonitorSettings, WebSettings

__all__ = [
    "Config",
    "ContractSettings",
    "EmailSettings",
    "MonitorSettings",
    "WebSettings",
    "config_document",
    "config_summary",
    "dump_toml",
    "load",
]
