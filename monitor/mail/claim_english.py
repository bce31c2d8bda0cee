"""The sentences of the letters about claims in English."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from monitor.mail.claim_words import ClaimWords

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
