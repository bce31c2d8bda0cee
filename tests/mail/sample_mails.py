"""Recipients and contents of mails: at least one sample of each kind, and of each variant that changes its words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.ledger.claims.answers import NON_CREDIT_INTERPRETATIONS
from monitor.mail.claim_content import (
    ClaimAnswer,
    ClaimAnswerMail,
    ClaimClosing,
    ClaimCorrection,
    ClaimDetails,
    ClaimExclusion,
    ClaimInterpretation,
    ClaimMonth,
    ClaimOutage,
    ClaimRefusalMail,
    LedgerSnapshot,
)
from monitor.mail.content import (
    CertificateMail,
    ExpiringCertificate,
    FlappingEnded,
    FlappingStarted,
    MaintenanceMail,
    MonthToDate,
    OperatorMail,
    OperatorNews,
    OutageEnded,
    OutageMail,
    OutageStarted,
    Recipient,
    ReportMail,
    ReportRow,
    ServerEvents,
    TestMail,
)
from monitor.model import CheckKey, State
from monitor.sla.interpretations import interpretations_of
from tests.sla.terms_examples import TERMS

if TYPE_CHECKING:
    from monitor.mail.compose import MailContent
    from monitor.mail.content import OutageEvent

TURKISH = Recipient("Acme Ltd. Şti.", "tr", "Europe/Istanbul", "https://sla.example.com/")
ENGLISH = Recipient("Acme Ltd", "en", "Europe/Istanbul", "https://sla.example.com/")
OPERATORS = Recipient("", "en", "Europe/Istanbul", "https://sla.example.com/")

START = 1_790_935_200_000  # 2026-10-02 13:00:00 in Istanbul, a Friday
DEADLINE = 1_791_320_400_000  # 2026-10-06 24:00:00 in Istanbul
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

OUTAGE_STARTED = OutageStarted("ping", START, "timeout")
OUTAGE_ENDED = OutageEnded("ping", START, START + 450_000, 450_000, 390_000, 510_000, claim_deadline=DEADLINE)
FLAPPING_STARTED = FlappingStarted("site", START, 6)
FLAPPING_ENDED = FlappingEnded("site", State.DOWN, START + HOUR, START)
MONTH_TO_DATE = MonthToDate("acme-web-01", "2026-10", "99.73", "99.75", target_met=False)

WINDOW = MaintenanceMail(
    recipient=ENGLISH,
    change="announced",
    kind="planned",
    id=12,
    servers=("web-01", "web-02"),
    start=START,
    end=START + 2 * HOUR,
    reason="Switch replacement",
)
REPORT_ROW = ReportRow(
    subscription="acme-web-01",
    server="web-01",
    availability="98.73",
    lowest="98.72",
    highest="98.75",
    coverage="99.86",
    target="99.75",
    target_met=False,
    down=2 * HOUR,
    excluded=HOUR,
    credit_percent="10",
    credit_certain=True,
    credit_amount="4.99 USD",
)
CLAIM = ClaimDetails(5, "acme-web-01", 7, "web-01", "ping", START, START + 2 * HOUR, DEADLINE, DEADLINE)
OUTAGE = ClaimOutage(7, "web-01", "ping", START, START + 8 * HOUR, 8 * HOUR, 479 * MINUTE, 481 * MINUTE, HOUR)
MONTH = ClaimMonth(
    month="2026-10",
    start=START - DAY,
    end=START + 29 * DAY,
    until=START + 29 * DAY,
    final=True,
    closed=None,
    product="server",
    clause="5.2.2",
    up=29 * DAY,
    down=7 * HOUR,
    excluded=HOUR,
    unknown=3 * MINUTE,
    availability="98.98",
    lowest="98.97",
    highest="98.99",
    experienced="98.84",
    coverage="99.93",
    target="99.75",
    target_met=False,
    percent="10",
    percent_lowest="10",
    percent_highest="10",
    certain=True,
    band_from="98.01",
    band_to="98.99",
    floor="99.00",
    fee="49.90",
    fee_months=1,
    currency="USD",
    amount="4.99",
    credited_in="2026-11",
    outages=(OUTAGE,),
    exclusions=(ClaimExclusion("4.3", "exclusion 3", "wrong firewall rule", HOUR),),
    decisions=tuple(
        ClaimInterpretation(one.setting, one.value, one.clause)
        for one in interpretations_of(TERMS)
        if one.setting not in NON_CREDIT_INTERPRETATIONS
    ),
)
HASH = "3f" * 32
ANSWER = ClaimAnswer(
    CLAIM, final=True, positive=True, note="", months=(MONTH,), records=LedgerSnapshot(812, HASH, START + DAY)
)


def outage_started_mail(recipient: Recipient, *servers: str) -> OutageMail:
    return OutageMail(recipient, tuple(ServerEvents(server, (OUTAGE_STARTED,)) for server in servers))


def outage_ended_mail(recipient: Recipient, *servers: str) -> OutageMail:
    return OutageMail(recipient, tuple(ServerEvents(server, (OUTAGE_ENDED,), (MONTH_TO_DATE,)) for server in servers))


def sample_mails(to: Recipient) -> dict[str, MailContent]:
    """Return every sample by its name."""
    return {
        **_outage_mails(to),
        **_maintenance_mails(to),
        **{
            f"operator-{news}": OperatorMail(replace(to, name=""), news, START, ("192.0.2.1: timeout", "details"))
            for news in OperatorNews
        },
        "report": ReportMail(
            to,
            "2026-10",
            (
                REPORT_ROW,
                replace(REPORT_ROW, subscription="acme-db-01", server="db-01", availability=None, target_met=None),
                replace(REPORT_ROW, subscription="acme-mail", credit_certain=False, credit_amount=None, excluded=0),
            ),
        ),
        "report-of-one-service": ReportMail(
            to, "2026-02", (replace(REPORT_ROW, availability="100.00", target_met=True, credit_percent="0"),)
        ),
        "test": TestMail(replace(to, name=""), START, "smtp mail.example.com:587 starttls"),
        **_claim_mails(to),
        **_certificate_mails(to),
    }


def _outage_mails(to: Recipient) -> dict[str, MailContent]:
    def about(*events: OutageEvent, months: tuple[MonthToDate, ...] = (MONTH_TO_DATE,)) -> OutageMail:
        return OutageMail(to, (ServerEvents("web-01", events, months),))

    below = ServerEvents("web-01", (OUTAGE_STARTED,), (), (ServerEvents("vm-1", (OUTAGE_STARTED,)),))
    switch = ServerEvents("switch-a", (OUTAGE_STARTED,), (), (below,))
    site = OutageEnded("site", START, START + HOUR, HOUR, HOUR, HOUR, 90_000, DEADLINE + DAY)
    long = replace(OUTAGE_ENDED, check="mail", end=DEADLINE + 1, counted=4 * DAY + 250, claim_deadline=DEADLINE)
    months = (
        MONTH_TO_DATE,
        replace(MONTH_TO_DATE, subscription="acme-mail", availability="100.00", target_met=True),
        replace(MONTH_TO_DATE, subscription="acme-site", availability="99.75", target_met=None),
        replace(MONTH_TO_DATE, subscription="acme-db", availability=None, target_met=None),
    )
    return {
        "outage-started": about(OUTAGE_STARTED, OutageStarted("site", START + 3000, "status: 500")),
        "outage-started-behind-a-switch": OutageMail(to, (switch,)),
        "outage-started-on-many-servers": OutageMail(to, (switch, ServerEvents("db-01", (OUTAGE_STARTED,)))),
        "outage-started-behind-an-old-outage": OutageMail(to, (ServerEvents("switch-a", (), (), (below,)),)),
        "outage-ended": about(OUTAGE_ENDED),
        "outage-ended-on-several-checks": about(OUTAGE_ENDED, site, long, months=months),
        "outage-ended-without-a-subscription": about(replace(OUTAGE_ENDED, claim_deadline=None), months=()),
        "outage-started-and-ended": OutageMail(
            to, (ServerEvents("web-01", (OUTAGE_ENDED,)), ServerEvents("web-02", (OUTAGE_STARTED,)))
        ),
        "flapping-started": about(FLAPPING_STARTED),
        **{f"flapping-ended-{state}": about(replace(FLAPPING_ENDED, state=state)) for state in State},
        "everything-at-once": OutageMail(
            to,
            tuple(
                ServerEvents(f"web-{number:02d}", (event,))
                for number in range(3)
                for event in (OUTAGE_STARTED, OUTAGE_ENDED, FLAPPING_STARTED, FLAPPING_ENDED)
            ),
        ),
    }


def _maintenance_mails(to: Recipient) -> dict[str, MailContent]:
    window, late = replace(WINDOW, recipient=to), 22 * HOUR + 45 * MINUTE
    emergency = replace(window, kind="emergency")
    return {
        "maintenance-announced": window,
        "maintenance-announced-late": replace(window, notice_shortfall=48 * HOUR, reference="ticket 7"),
        "maintenance-announced-emergency": emergency,
        "maintenance-extended": replace(window, change="extended", previous_end=START + HOUR),
        "maintenance-extended-late": replace(
            window, change="extended", previous_end=START + HOUR, notice_shortfall=late
        ),
        "maintenance-extended-emergency": replace(emergency, change="extended", previous_end=START + HOUR),
        "maintenance-shortened": replace(window, change="shortened", previous_end=START + 4 * HOUR),
        "maintenance-shortened-emergency": replace(emergency, change="shortened", previous_end=START + 4 * HOUR),
        "maintenance-cancelled": replace(window, change="cancelled", notice_shortfall=late),
        "maintenance-cancelled-emergency": replace(emergency, change="cancelled", end=START),
    }


def _claim_mails(to: Recipient) -> dict[str, MailContent]:
    def answer(month: ClaimMonth, *, note: str = "") -> ClaimAnswerMail:
        positive = month.percent != "0"
        return ClaimAnswerMail(to, replace(ANSWER, months=(month,), final=month.final, positive=positive, note=note))

    none = replace(MONTH, percent="0", percent_lowest="0", percent_highest="0", amount=None)
    above = replace(none, band_from="99.00", band_to=None)
    late = replace(CLAIM, opened_at=DEADLINE + HOUR)
    return {
        "claim-answer-credit": answer(MONTH, note="We apologise."),
        "claim-answer-credit-so-far": answer(replace(MONTH, final=False, until=START + DAY)),
        "claim-answer-credit-uncertain": answer(
            replace(MONTH, certain=False, percent_highest="0", band_from=None, band_to="98.00")
        ),
        "claim-answer-credit-without-a-fee": answer(replace(MONTH, fee=None, amount=None, currency=None)),
        "claim-answer-credit-by-year": answer(
            replace(
                MONTH,
                fee="1200.00",
                fee_months=12,
                closed=ClaimClosing(900, START, (ClaimCorrection(950, START + DAY, "exclusion 3"),)),
                outages=(replace(OUTAGE, id=8, check="site", end=None, excluded=0), OUTAGE),
                exclusions=(
                    ClaimExclusion("4.1", "maintenance 2", "disks", 0, short_by=HOUR),
                    ClaimExclusion("4.5", "ticket 9", "", 90_500),
                ),
            )
        ),
        "claim-answer-none-target-met": answer(replace(above, availability="99.80", target_met=True)),
        "claim-answer-none-above-the-floor": answer(replace(above, availability="99.50", lowest="99.50")),
        "claim-answer-none-so-far": answer(replace(above, availability="99.80", target_met=True, final=False)),
        "claim-answer-none-measured": answer(
            replace(
                none,
                availability=None,
                lowest=None,
                highest=None,
                experienced=None,
                coverage=None,
                target_met=None,
                band_from=None,
                band_to=None,
                outages=(),
                exclusions=(),
            )
        ),
        "claim-answer-for-two-months": ClaimAnswerMail(
            to, replace(ANSWER, months=(replace(above, month="2026-09", target_met=None), MONTH))
        ),
        "claim-refused-too-late": ClaimRefusalMail(to, late, "late"),
        "claim-refused-not-measured": ClaimRefusalMail(
            to, replace(CLAIM, check="site"), "not-measured", ("ping", "mail"), "5.2.2, 4.4, 4.8"
        ),
    }


def _certificate_mails(to: Recipient) -> dict[str, MailContent]:
    site, mail = CheckKey("web-01", "site"), CheckKey("mail-01", "smtp")
    soon = ExpiringCertificate("ab" * 32, START + 7 * DAY, 7, (site,))
    expired = ExpiringCertificate("cd" * 32, START - DAY, -1, (site, mail))
    return {
        "certificate-expiring": CertificateMail(to, (soon,)),
        "certificates-expired-and-expiring": CertificateMail(to, (expired, soon)),
        "certificates-expired": CertificateMail(to, (expired,) * 52),
    }
