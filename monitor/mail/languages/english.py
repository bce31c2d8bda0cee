"""The letters' sentences in English."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from monitor.mail.content import OperatorNews
from monitor.mail.languages.catalog import (
    CertificateWords,
    ClaimWords,
    MaintenanceWords,
    News,
    NoticeWords,
    OutageWords,
    Words,
)
from monitor.model import Reason, State

# --- claims -----------------------------------------------------------------------------------------------------------

CLAIM: Final = ClaimWords(
    granted="CREDIT {percent} for {subscription} (claim {claim})",
    granted_so_far="CREDIT SO FAR {percent} for {subscription} (claim {claim})",
    denied="NO CREDIT for {subscription} (claim {claim})",
    denied_so_far="NO CREDIT SO FAR for {subscription} (claim {claim})",
    refused="CLAIM REFUSED: {subscription} (claim {claim})",
    granted_title="Your claim is granted",
    granted_so_far_title="Your claim is granted provisionally",
    denied_title="No credit is due",
    denied_so_far_title="No credit is due so far",
    refused_title="Your claim is refused",
    examined="We have examined our records for your claim of {made} (clause 6.3). This is our answer:",
    credited=(
        "{month}: the service was available {availability} of the time. {percent} of the monthly fee, {amount}, will "
        "be credited to your account in {credited_in} (clauses {clause}, 6.4)."
    ),
    would_be_credited=(
        "{month}: the service has been available {availability} of the time. If the month ended like this, {percent} "
        "of the monthly fee, {amount}, would be credited to your account in {credited_in} (clauses {clause}, 6.4)."
    ),
    target_met=(
        "{month}: the service was available {availability} of the time. This meets the target of {target}, so no "
        "credit is due (clause {clause})."
    ),
    unpaid=(
        "{month}: the service was available {availability} of the time. This misses the target of {target}; credit is "
        "due only below {floor}, so none is due (clause {clause})."
    ),
    not_measured=(
        "{month}: nothing was measured that counts, so there is no figure to compare with the target of {target}, and "
        "no credit is due (clause {clause})."
    ),
    provisional=(
        "{month} is not over: this answer is provisional and holds as of {until}. The month's figures are final when "
        "it is over."
    ),
    uncertain=(
        "The rate is not certain: the lowest reading of our records pays {lowest}, the highest {highest} "
        "(clause {clause})."
    ),
    note="Our remark: {note}",
    claim="Claim {claim}",
    subscription="Service",
    made="Made",
    in_time="{made}; in time until {deadline} (6.2)",
    late="{made}; in time until {deadline} (6.2): too late",
    outage="For outage",
    began="{outage}: {check} on {server}, since {began}",
    due="Answer due (6.3)",
    so_far="{month} so far",
    availability="Availability ({clause})",
    bounds="{availability} (at least {lowest}, at most {highest})",
    none="not measured",
    experienced="Experienced (4)",
    nothing_taken_out="{figure}, nothing taken out",
    coverage="Coverage (8.2)",
    target="Target ({clause})",
    down="Downtime ({clause})",
    excluded="Excluded (4)",
    unknown="Unknown (8.2)",
    band="Band ({clause})",
    band_between="{lower} to {upper}: {percent} of the monthly fee",
    band_to="{upper} and below: {percent} of the monthly fee",
    band_from="{lower} and above: no credit",
    fee="Monthly fee (6.4)",
    fee_divided="{fee} for {months} months, divided by {months}",
    credit="Credit (6.4)",
    no_fee="no fee is on record for this service",
    by_invoice="by your invoice",
    certain="Certain ({clause})",
    yes="yes: both bounds fall in this band",
    no="no: the bounds pay {lowest} and {highest}",
    readings="{credit} ({percent})",
    credited_in="Credited in (6.4)",
    closed="The month was closed at {at} (journal entry {entry}).",
    corrected="Corrected since, at {at} (journal entry {entry}): {why}.",
    outages="Outages in {month}",
    outage_word="Outage {outage}",
    claimed="{check} on {server}, the one that you claim for",
    still_open="not over",
    no_outages="None on what this service is measured on.",
    more_outages="And {count} more; the month's report lists all.",
    whole="Lengths are whole, also of an outage that outlives the month, and before exclusions.",
    excluded_card="What was excluded in {month}, and why",
    nothing_excluded="Nothing was excluded (clauses 4.1 to 4.10).",
    too_late="{reason}; announced {short} too late, so it excludes nothing (clauses 4.1, 4.9)",
    references=MappingProxyType({"maintenance": "maintenance {number}", "exclusion": "exclusion {number}"}),
    decisions_card="How the agreement was read where it is silent",
    decisions=MappingProxyType(
        {
            "rounding=down": "Percentages are rounded down to two decimals.",
            "rounding=half-up": "Percentages are rounded half up to two decimals.",
            "timezone": "Months, days and deadlines are those of {value}.",
            "credit=on-claim": "Credit is given where it is claimed in time.",
            "credit=automatic": "Credit is given without being asked for.",
            "prorate_fee": "The fee is not prorated where a service was there for a part of the month.",
            "unknown_time": "Time of which nothing is known counts neither as up nor as down.",
            "business_days": (
                "Business days are Monday to Friday without Turkish public holidays; half-day holidays count as "
                "business days."
            ),
            "credit_cap": "All credits of one service in one month together never exceed its monthly fee.",
            "exclusion_of_one_check": "An exclusion of one check excuses that check alone.",
            "changed_product": "Product, fee and target of the month's last day apply to all of it.",
        }
    ),
    records="Records",
    entry="Journal entry",
    hash="Its hash",
    as_of="As of",
    evidence=(
        "Every figure above is computed from our records up to this entry of the journal, which no later change can "
        "leave intact. Our records are conclusive evidence (clause 6.3)."
    ),
    future_invoices="Credits are used for future invoices; they are not paid out (clause 6.5).",
    refused_late=(
        "We cannot consider your claim of {made}. A claim must be made within 2 business days of the problem: for this "
        "outage, until {deadline} (clause 6.2)."
    ),
    refused_not_measured=(
        "We cannot credit your claim of {made}. The availability of this service is read on {measured}; an outage of "
        "{check} does not lower it (clauses {clause})."
    ),
    refused_closing="The claim is kept in our records with this answer.",
)

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
            OperatorNews.NO_CONNECTIVITY: News(
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
            OperatorNews.FIGURES_DRIFT: News(
                "FIGURES CORRECTED",
                "Figures had drifted from the books",
                "The check at {at} found figures of the page and the metrics that differ from what the books come to. "
                "They are corrected. Accounts, reports and credits are computed from the books and are not touched.",
            ),
            OperatorNews.CLAIM_OVERDUE: News(
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
