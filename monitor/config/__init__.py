"""The configuration: read and validated as a whole, then frozen.

:func:`load` returns a :class:`Config` or raises ConfigError with every fault of every file.

Tables are declared as data: ``schema.py`` lists the keys with validators and defaults, ``validators.py`` has one
function for each kind of value, and the keys of a check type are the fields of its settings. ``decode.py`` is a decoder
of our own: a schema library would cost more start-up time than the rest of a command, and its messages would have to be
rewritten. A reader may skip ``toml_writer.py`` (output), ``loader_process.py`` (reading in another process),
``passwords.py`` (warnings), ``ledger_context.py`` and ``mail_transport.py`` (conversions for other layers).

Looking to add a key? Start in ``schema.py``. A rule between two tables? ``load.py``. A check type needs no change here.
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
