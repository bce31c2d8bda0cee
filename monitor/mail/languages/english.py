"""The letters' sentences in English."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from monitor.mail.claim_english import CLAIM
from monitor.mail.content import OperatorNews
from monitor.mail.languages.catalog import CertificateWords, MaintenanceWords, News, NoticeWords, OutageWords, Words
from monitor.model import Reason, State

_OUTAGE = OutageWords(
    down="DOWN",
    up="UP",
    flapping="FLAPPING",
    settled="SETTLED",
    down_title="Outage",
    up_title="Outage over",
    mixed_title="Outages and recoveries",
    flapping_title="Unsteady",
    settled_title="Steady again",
    greeting="Dear {name},",
    down_opening="Our monitoring has confirmed the following outage:",
    up_opening="The following is reachable again:",
    mixed_opening="Our monitoring has seen the following changes:",
    unsteady_opening="Our monitoring has seen the following:",
    down_closing="A second mail will follow in this thread when it is over.",
    servers="{count} servers",
    one_behind="{server} and 1 server behind it",
    many_behind="{server} and {count} servers behind it",
    lasted="{server} after {length}",
    now="{server} is {state}",
    since="Since",
    seen="Seen",
    start="Start",
    end="End",
    length="Length",
    bounds="{counted} (at least {least}, at most {most})",
    excluded="Excluded",
    excluded_note="{length} of it, as the records stand",
    flapping_note="changes its state too often ({count} times); no further mail until it settles",
    unsteady="Unsteady since",
    state="State",
    states=MappingProxyType(
        {State.UP: "up", State.DOWN: "down", State.UNKNOWN: "unknown", State.MAINTENANCE: "in maintenance"}
    ),
    month="{subscription}, {month} so far",
    standing="{availability} available; target {target}: {verdict}",
    nothing_measured="nothing measured yet; target {target}",
    met="met",
    missed="missed",
    open="undetermined",
    claim="A credit claim for this outage can be made until {deadline} (clause 6.2).",
    claim_of="A credit claim for the outage of {check} can be made until {deadline} (clause 6.2).",
    claim_passed="The last moment for a credit claim for the outage of {check} was {deadline} (clause 6.2).",
    behind="Behind {server}:",
    reasons=MappingProxyType(
        {
            Reason.TIMEOUT: "timeout",
            Reason.REFUSED: "connection refused",
            Reason.UNREACHABLE: "unreachable",
            Reason.RESET: "connection reset",
            Reason.CLOSED: "connection closed",
            Reason.TLS: "no TLS connection",
            Reason.TLS_NAME: "certificate for another name",
            Reason.TLS_EXPIRED: "certificate expired",
            Reason.TLS_EARLY: "certificate not yet valid",
            Reason.TLS_UNTRUSTED: "certificate not trusted",
            Reason.TLS_REVOKED: "certificate revoked",
            Reason.PROTOCOL: "invalid answer",
            Reason.STATUS: "unexpected status",
            Reason.REDIRECT: "bad redirect",
            Reason.CONTENT: "unexpected content",
            Reason.LOGIN: "login refused",
            Reason.HOST_KEY: "another host key",
            Reason.HOST_BLOCKED: "the monitor is blocked there",
            Reason.TOO_MANY_CONNECTIONS: "too many connections",
        }
    ),
)

_MAINTENANCE = MaintenanceWords(
    words=MappingProxyType(
        {
            ("announced", "planned"): "MAINTENANCE",
            ("announced", "emergency"): "EMERGENCY MAINTENANCE",
            ("extended", "planned"): "MAINTENANCE EXTENDED",
            ("extended", "emergency"): "EMERGENCY MAINTENANCE EXTENDED",
            ("shortened", "planned"): "MAINTENANCE SHORTENED",
            ("shortened", "emergency"): "EMERGENCY MAINTENANCE SHORTENED",
            ("cancelled", "planned"): "MAINTENANCE CANCELLED",
            ("cancelled", "emergency"): "EMERGENCY MAINTENANCE CANCELLED",
        }
    ),
    titles=MappingProxyType(
        {
            ("announced", "planned"): "Planned maintenance",
            ("announced", "emergency"): "Emergency maintenance",
            ("extended", "planned"): "Planned maintenance extended",
            ("extended", "emergency"): "Emergency maintenance extended",
            ("shortened", "planned"): "Planned maintenance shortened",
            ("shortened", "emergency"): "Emergency maintenance shortened",
            ("cancelled", "planned"): "Planned maintenance cancelled",
            ("cancelled", "emergency"): "Emergency maintenance cancelled",
        }
    ),
    openings=MappingProxyType(
        {
            "announced": "We are going to work on the following. There may be interruptions in this time:",
            "extended": "The following maintenance takes longer than announced:",
            "shortened": "The following maintenance ends earlier than announced:",
            "cancelled": "The following maintenance is cancelled:",
        }
    ),
    card="Maintenance {id}",
    servers="Servers",
    start="Start",
    end="End",
    previous_end="Announced end",
    length="Length",
    reason="Reason",
    reference="Reference",
    qualifies="Announced at least 4 days (96 h) ahead: downtime within it is excluded (clauses 4.1, 4.9).",
    too_late=(
        "Announced {short} too late for the 4 days (96 h) that are due: downtime within it is NOT excluded, "
        "it counts as an outage (clauses 4.1, 4.9)."
    ),
    emergency=("Emergency maintenance may come without notice: downtime within it is excluded (clause 4.9)."),
    added="The added part, from {start} to {end}, is an announcement of its own.",
    until="until {end}",
    after_end="This takes effect at once: downtime after the end counts.",
    cancelled="This takes effect at once: from now on, downtime counts as always.",
)

_NOTICE = NoticeWords(
    news=MappingProxyType(
        {
            OperatorNews.BLIND: News(
                "BLIND",
                "The monitor cannot see out",
                "All canaries have failed since {at}. Until one answers, failures are recorded as unknown, no outage "
                "opens or ends, and no mail goes to a customer.",
            ),
            OperatorNews.ICMP: News(
                "NO ICMP",
                "ICMP is not permitted",
                "The system has not let the monitor send ICMP since {at}. Ping checks are recorded as unknown.",
            ),
            OperatorNews.DEAD_LETTER: News(
                "UNDELIVERED",
                "A mail could not be delivered",
                "A mail went to the dead letters at {at} and is not tried again. Nothing is lost: "
                '"monitor mail list" shows it, "monitor mail resend" sends it again.',
            ),
            OperatorNews.STORE: News(
                "DATABASE FAULT",
                "The database could not be written",
                "The database refused what was written since {at}, and takes it again. Results waited in memory; those "
                "that did not fit are unknown time.",
            ),
            OperatorNews.RELOAD: News(
                "RELOAD REFUSED",
                "A reload was refused",
                "The configuration had faults at {at}. The configuration that was running stays in force.",
            ),
            OperatorNews.JOURNAL: News(
                "JOURNAL BROKEN",
                "The journal's chain does not hold",
                "The check at {at} found that recorded entries were changed afterwards or are damaged. Keep the "
                "database as it is, and compare it with a backup.",
            ),
            OperatorNews.FIGURES: News(
                "FIGURES CORRECTED",
                "Figures had drifted from the books",
                "The check at {at} found figures of the page and the metrics that differ from what the books come to. "
                "They are corrected. Accounts, reports and credits are computed from the books and are not touched.",
            ),
            OperatorNews.OVERDUE: News(
                "ANSWER OVERDUE",
                "An answer to a claim is overdue",
                "An answer was due at {at}: claims are answered within 2 business days (clause 6.3).",
            ),
        }
    ),
    particulars="Details",
    report="REPORT",
    report_title="Report for {month}",
    report_opening="Here is your service report for {month}:",
    subscriptions="{count} services",
    availability="Availability",
    bounds="{availability} (lowest {lowest}, highest {highest})",
    none="not measured",
    coverage="Coverage",
    target="Target",
    down="Downtime",
    excluded="Excluded",
    credit="Credit",
    no_credit="none",
    uncertain="{credit}; not certain, the bounds fall into different bands",
    test="TEST",
    test_title="Mail works",
    test_subject="mail from the monitor",
    test_opening="This mail was sent to test the way by which mail leaves. If you can read it, it works.",
    sent="Written",
    transport="Sent by",
)

_CERTIFICATE = CertificateWords(
    word="CERTIFICATE",
    days_left="days left: {count}",
    expired="expired",
    title="A certificate is about to expire",
    opening="Our monitoring sees a certificate that is about to expire. Browsers and programs refuse an expired one; "
    "please renew it in time.",
    expired_title="A certificate has expired",
    expired_opening="Our monitoring sees a certificate that has expired. Browsers and programs refuse it; "
    "please renew it.",
    expires="Expires",
    left="Days left",
    checks="Seen by",
    fingerprint="Fingerprint (SHA-256)",
    more="Further certificates that expire later: {count}",
)

ENGLISH: Final = Words(
    outage=_OUTAGE,
    maintenance=_MAINTENANCE,
    notice=_NOTICE,
    claim=CLAIM,
    certificate=_CERTIFICATE,
    look="Where to look",
    zone="Times are those of {zone}.",
    automatic="This mail was generated automatically.",
)
