"""All servers that checks are tried against."""

from __future__ import annotations

from tests.integration.labkinds_data import DATA
from tests.integration.labkinds_files import FILES
from tests.integration.labkinds_mail import MAIL
from tests.integration.labkinds_names import NAMES
from tests.integration.labkinds_web import WEB

KINDS = (*WEB, *MAIL, *FILES, *NAMES, *DATA)
