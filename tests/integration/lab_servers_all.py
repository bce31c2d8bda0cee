"""All servers that checks are tried against."""

from __future__ import annotations

from tests.integration.lab_servers_database import DATA
from tests.integration.lab_servers_dns import NAMES
from tests.integration.lab_servers_file import FILES
from tests.integration.lab_servers_mail import MAIL
from tests.integration.lab_servers_web import WEB

SERVER_KINDS = (*WEB, *MAIL, *FILES, *NAMES, *DATA)
