"""The words of the mails, where they matter."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from monitor.mail.compose import compose
from monitor.mail.content import (
    FlappingEnded,
    FlappingStarted,
    OperatorMail,
    OperatorNews,
    OutageEnded,
    OutageEvent,
    OutageMail,
    OutageStarted,
    Recipient,
    ReportMail,
    ServerEvents,
    TestMail,
)
from monitor.model import State
from tests.mail.sample_mails import (
    DAY,
    DEADLINE,
    ENGLISH,
    HOUR,
    MINUTE,
    MONTH_TO_DATE,
    OPERATORS,
    OUTAGE_ENDED,
    OUTAGE_STARTED,
    REPORT_ROW,
    START,
    TURKISH,
    WINDOW,
    outage_ended_mail,
    outage_started_mail,
    sample_mails,
)


class Page(HTMLParser):
    """The HTML part as a browser sees it: its words, its tags, what it would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "srcset", "background", "poster", "data", "action"} or "url(" in (value or ""):
                self.fetched.append(f"{tag} {name}")
            if name == "href":
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"] and data.strip():
            self.words.append(" ".join(data.split()))


def test_an_outage_is_told_in_turkish() -> None:
    fell = (OUTAGE_STARTED, OutageStarted("site", START + 3000, "status: 500"))
    letter = compose(OutageMail(TURKISH, (ServerEvents("web-01", fell),)))
    assert letter.subject == "KESİNTİ web-01 (ping, site)"
    assert letter.text == (
        "Kesinti\n"
        "=======\n"
        "\n"
        "Sayın Acme Ltd. Şti.,\n"
        "\n"
        "İzleme sistemimiz aşağıdaki kesintiyi tespit etti:\n"
        "\n"
        "web-01\n"
        "  KESİNTİ: ping\n"
        "    Başlangıç: 02.10.2026 13:00\n"
        "    Gözlenen: zaman aşımı (timeout)\n"
        "  KESİNTİ: site\n"
        "    Başlangıç: 02.10.2026 13:00\n"
        "    Gözlenen: beklenmeyen durum kodu (status: 500)\n"
        "\n"
        "Kesinti sona erdiğinde bu yazışmada ikinci bir e-posta gönderilecektir.\n"
        "\n"
        "Ayrıntılar için: https://sla.example.com/\n"
        "\n"
        "-- \n"
        "Zamanlar Europe/Istanbul saat dilimindedir.\n"
        "Bu e-posta otomatik olarak oluşturulmuştur.\n"
    )


def test_an_outage_is_told_in_english() -> None:
    letter = compose(outage_started_mail(ENGLISH, "web-01"))
    assert letter.subject == "DOWN web-01 (ping)"
    assert letter.text == (
        "Outage\n"
        "======\n"
        "\n"
        "Dear Acme Ltd,\n"
        "\n"
        "Our monitoring has confirmed the following outage:\n"
        "\n"
        "web-01\n"
        "  DOWN: ping\n"
        "    Since: 2026-10-02 13:00\n"
        "    Seen: timeout\n"
        "\n"
        "A second mail will follow in this thread when the outage is over.\n"
        "\n"
        "More information: https://sla.example.com/\n"
        "\n"
        "-- \n"
        "Times are in the Europe/Istanbul time zone.\n"
        "This mail was generated automatically.\n"
    )


def test_the_end_of_an_outage_names_its_length_and_bounds_the_month_and_the_deadline() -> None:
    letter = compose(outage_ended_mail(TURKISH, "web-01"))
    assert letter.subject == "DÜZELDİ web-01 (ping): 8 dk sürdü"
    assert (
        "web-01\n"
        "  DÜZELDİ: ping\n"
        "    Başlangıç: 02.10.2026 13:00\n"
        "    Bitiş: 02.10.2026 13:07\n"
        "    Süre: 7 dk 30 sn (en az 6 dk 30 sn, en çok 8 dk 30 sn)\n"
        "  acme-web-01, Ekim 2026 (şu ana kadar): erişilebilirlik %99,73; hedef %99,75: sağlanamadı\n"
        "  Bu kesinti için kredi talebinin son zamanı: 06.10.2026 24:00 (madde 6.2).\n"
    ) in letter.text
    letter = compose(outage_ended_mail(ENGLISH, "web-01"))
    assert letter.subject == "UP web-01 (ping) after 8 min"
    assert (
        "web-01\n"
        "  UP: ping\n"
        "    Start: 2026-10-02 13:00\n"
        "    End: 2026-10-02 13:07\n"
        "    Duration: 7 min 30 s (at least 6 min 30 s, at most 8 min 30 s)\n"
        "  acme-web-01, October 2026 so far: 99.73 % available; target 99.75 %: missed\n"
        "  A credit claim for this outage can be made until 2026-10-06 24:00 (clause 6.2).\n"
    ) in letter.text


def test_the_part_of_an_outage_that_is_excluded_is_told() -> None:
    text = compose(OutageMail(ENGLISH, (ServerEvents("web-01", (replace(OUTAGE_ENDED, excluded=90_000),)),))).text
    assert "    Excluded: 1 min 30 s, according to the current records\n" in text


def test_a_month_without_a_figure_says_so() -> None:
    nothing = replace(MONTH_TO_DATE, availability=None, target_met=None)
    text = compose(OutageMail(ENGLISH, (ServerEvents("web-01", (OUTAGE_ENDED,), (nothing,)),))).text
    assert "  acme-web-01, October 2026 so far: nothing measured yet; target 99.75 %\n" in text


def test_each_outage_that_ended_has_its_own_deadline() -> None:
    later = OutageEnded("site", START, START + HOUR, HOUR, HOUR, HOUR, claim_deadline=DEADLINE + DAY)
    text = compose(OutageMail(ENGLISH, (ServerEvents("web-01", (OUTAGE_ENDED, later)),))).text
    assert "the outage of ping can be made until 2026-10-06 24:00 (clause 6.2)" in text
    assert "the outage of site can be made until 2026-10-07 24:00 (clause 6.2)" in text


def test_an_outage_longer_than_its_deadline_is_not_promised_a_claim() -> None:
    over = replace(OUTAGE_ENDED, end=DEADLINE + 1)
    text = compose(OutageMail(ENGLISH, (ServerEvents("web-01", (over,)),))).text
    assert "The last moment for a credit claim for the outage of ping was 2026-10-06 24:00 (clause 6.2)." in text
    assert "can be made" not in text
    at_it = compose(OutageMail(ENGLISH, (ServerEvents("web-01", (replace(OUTAGE_ENDED, end=DEADLINE),)),))).text
    assert "can be made until 2026-10-06 24:00" in at_it


def test_without_a_subscription_no_claim_is_spoken_of() -> None:
    letter = OutageMail(OPERATORS, (ServerEvents("web-01", (replace(OUTAGE_ENDED, claim_deadline=None),)),))
    assert "claim" not in compose(letter).text


def test_children_stand_under_their_fallen_parent() -> None:
    child = ServerEvents("web-01", (OUTAGE_STARTED,), (), (ServerEvents("vm-1", (OUTAGE_STARTED,)),))
    tree = OutageMail(
        ENGLISH, (ServerEvents("switch-a", (OUTAGE_STARTED,), (), (child,)), ServerEvents("db-01", (OUTAGE_STARTED,)))
    )
    text = compose(tree).text
    indents = {line.strip(): len(line) - len(line.lstrip()) for line in text.splitlines()}
    assert [indents[name] for name in ("switch-a", "Behind switch-a:", "web-01", "vm-1", "db-01")] == [0, 2, 4, 8, 0]
    assert compose(tree).subject == "DOWN 4 servers: switch-a, web-01, vm-1, db-01"


@pytest.mark.parametrize(
    ("children", "english", "turkish"),
    [
        (1, "DOWN switch-a (ping) and 1 server behind it", "KESİNTİ switch-a (ping) ve arkasındaki 1 sunucu"),
        (12, "DOWN switch-a (ping) and 12 servers behind it", "KESİNTİ switch-a (ping) ve arkasındaki 12 sunucu"),
    ],
)
def test_a_parent_that_took_the_rest_with_it_is_the_subject(children: int, english: str, turkish: str) -> None:
    below = tuple(ServerEvents(f"web-{number}", (OUTAGE_STARTED,)) for number in range(children))
    for reader, subject in ((ENGLISH, english), (TURKISH, turkish)):
        assert compose(OutageMail(reader, (ServerEvents("switch-a", (OUTAGE_STARTED,), (), below),))).subject == subject


def test_a_parent_told_of_before_is_named_for_its_child_alone() -> None:
    letter = compose(
        OutageMail(ENGLISH, (ServerEvents("switch-a", (), (), (ServerEvents("web-01", (OUTAGE_STARTED,)),)),))
    )
    assert letter.subject == "DOWN web-01 (ping)"
    assert "switch-a\n\n  Behind switch-a:\n\n    web-01\n      DOWN: ping\n" in letter.text


def test_falls_and_rises_of_one_sweep_are_one_letter() -> None:
    servers = (ServerEvents("web-01", (OUTAGE_ENDED,)), ServerEvents("web-02", (OUTAGE_STARTED,)))
    letter = compose(OutageMail(ENGLISH, servers))
    assert letter.subject == "DOWN web-02 (ping); UP web-01 (ping) after 8 min"
    assert letter.text.startswith("Outages and recoveries\n")


def test_flapping_is_told_with_what_it_means() -> None:
    news = (ServerEvents("web-01", (FlappingStarted("site", START, 6),)),)
    letter = compose(OutageMail(ENGLISH, news))
    assert letter.subject == "FLAPPING web-01 (site)"
    assert (
        "  FLAPPING: site\n"
        "    Since: 2026-10-02 13:00\n"
        "    changes its state too often (6 times); no further mail until it is stable\n"
    ) in letter.text
    assert compose(OutageMail(TURKISH, news)).subject == "KARARSIZ web-01 (site)"


def test_a_check_that_settled_is_told_with_its_state() -> None:
    news = (ServerEvents("web-01", (FlappingEnded("site", State.DOWN, START + HOUR, START),)),)
    letter = compose(OutageMail(ENGLISH, news))
    assert letter.subject == "SETTLED web-01 (site) is down"
    assert (
        "  SETTLED: site\n    State: down\n    Since: 2026-10-02 14:00\n    Flapping since: 2026-10-02 13:00\n"
    ) in letter.text
    assert compose(OutageMail(TURKISH, news)).subject == "KARARLI web-01 (site): kesintide"


def test_many_servers_are_counted_in_the_subject_and_all_named_in_the_letter() -> None:
    servers = [f"web-{number:02d}" for number in range(12)]
    letter = compose(outage_started_mail(ENGLISH, *servers))
    assert letter.subject == "DOWN 12 servers: web-00, web-01, web-02, web-03, web-04, …"
    assert [line for line in letter.text.splitlines() if line in servers] == servers
    assert (
        compose(outage_started_mail(TURKISH, *servers)).subject
        == "KESİNTİ 12 sunucu: web-00, web-01, web-02, web-03, web-04, …"
    )


@pytest.mark.parametrize("reader", [TURKISH, ENGLISH], ids=["tr", "en"])
@pytest.mark.parametrize("length", [6, 63])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 400])
def test_a_subject_fits_a_telephone_however_much_happened(reader: Recipient, length: int, count: int) -> None:
    names = [f"{number:0{length}d}" for number in range(count)]
    happened: list[list[tuple[OutageEvent, ...]]] = [
        [(OUTAGE_STARTED,)],
        [(OUTAGE_ENDED,)],
        [(OUTAGE_STARTED,), (OUTAGE_ENDED,)],
        [
            (OUTAGE_STARTED,),
            (OUTAGE_ENDED,),
            (FlappingStarted("site", START, 6),),
            (FlappingEnded("site", State.UP, START, START),),
        ],
        [(replace(OUTAGE_STARTED, check="c" * 63), OutageStarted("site", START, "timeout"))],
        [(FlappingEnded("site", State.MAINTENANCE, START, START),)],
    ]
    words = ("KESİNTİ", "DÜZELDİ", "KARARLI") if reader is TURKISH else ("DOWN", "UP", "SETTLED")
    for events in happened:
        news = tuple(ServerEvents(name, event) for name in names for event in events)
        letter = compose(OutageMail(reader, news))
        assert len(letter.subject) <= 60
        assert letter.subject.startswith(words)


@pytest.mark.parametrize("reader", [TURKISH, ENGLISH], ids=["tr", "en"])
def test_every_subject_fits_a_telephone(reader: Recipient) -> None:
    letters = list(sample_mails(reader).values())
    long = replace(WINDOW, recipient=reader, servers=tuple(f"server-{number:03d}" for number in range(50)))
    letters += [
        replace(long, change=change, kind=kind, previous_end=START + HOUR)
        for change in ("announced", "extended", "shortened", "cancelled")
        for kind in ("planned", "emergency")
    ]
    letters.append(ReportMail(reader, "2026-11", (replace(REPORT_ROW, subscription="s" * 63),)))
    subjects = [compose(letter).subject for letter in letters]
    assert [subject for subject in subjects if not 5 < len(subject) <= 60] == []


def test_maintenance_in_time_is_announced_as_excluded() -> None:
    letter = compose(WINDOW)
    assert letter.subject == "MAINTENANCE 2026-10-02 13:00: web-01, web-02"
    assert (
        "Maintenance 12\n"
        "  Servers: web-01, web-02\n"
        "  Start: 2026-10-02 13:00\n"
        "  End: 2026-10-02 15:00\n"
        "  Duration: 2 h\n"
        "  Reason: Switch replacement\n"
        "  Announced at least 4 days (96 h) ahead: downtime within it is excluded (clauses 4.1, 4.9).\n"
    ) in letter.text


@pytest.mark.parametrize(
    ("short", "english", "turkish"),
    [
        (22 * HOUR + 45 * MINUTE, "22 h 45 min", "22 sa 45 dk"),
        (48 * HOUR, "48 h", "48 sa"),
        (1, "0.001 s", "0,001 sn"),
    ],
)
def test_maintenance_announced_too_late_says_by_how_much_and_that_it_counts(
    short: int, english: str, turkish: str
) -> None:
    letter = replace(WINDOW, notice_shortfall=short)
    assert (
        f"Announced {english} too late for the required 4 days (96 h): downtime within it is NOT excluded, "
        "it counts as an outage (clauses 4.1, 4.9)."
    ) in compose(letter).text
    text = compose(replace(letter, recipient=TURKISH)).text
    assert f"süreye göre {turkish} geç yapılmıştır" in text
    assert "hariç TUTULMAZ, kesinti olarak sayılır (madde 4.1, 4.9)." in text
    assert "is excluded" not in text


def test_emergency_maintenance_is_excluded_without_notice() -> None:
    letter = compose(replace(WINDOW, kind="emergency", recipient=TURKISH, reason="OpenSSH güvenlik açığı"))
    assert letter.subject == "ACİL BAKIM 02.10.2026 13:00: web-01, web-02"
    assert "  Sebep: OpenSSH güvenlik açığı\n" in letter.text
    assert "Acil bakım önceden duyurulmadan yapılabilir" in letter.text
    assert "96" not in letter.text


def test_an_extension_is_judged_by_its_added_part() -> None:
    letter = compose(replace(WINDOW, change="extended", previous_end=START + HOUR, notice_shortfall=HOUR))
    assert letter.subject == "MAINTENANCE EXTENDED until 2026-10-02 15:00: web-01, web-02"
    assert "  Announced end: 2026-10-02 14:00\n" in letter.text
    assert ("The added part, from 2026-10-02 14:00 to 2026-10-02 15:00, is a separate announcement.") in letter.text
    assert "Announced 1 h too late" in letter.text


def test_shortening_and_cancelling_take_effect_at_once() -> None:
    shortened = compose(replace(WINDOW, change="shortened", previous_end=START + 4 * HOUR)).text
    assert "This takes effect at once: downtime after the end counts." in shortened
    cancelled = compose(replace(WINDOW, change="cancelled", notice_shortfall=HOUR)).text
    assert "This takes effect at once: from now on, downtime counts as usual." in cancelled
    assert "too late" not in cancelled


def test_a_window_of_which_nothing_is_left_has_no_length() -> None:
    assert "Duration" not in compose(replace(WINDOW, change="cancelled", end=START)).text


def test_an_announcement_made_elsewhere_is_named() -> None:
    assert "  Reference: ticket 7\n" in compose(replace(WINDOW, reference="ticket 7")).text
    assert "Reference" not in compose(WINDOW).text


def test_operators_are_told_that_the_monitor_is_blind() -> None:
    lines = ("192.0.2.1: timeout", "198.51.100.1: no route")
    letter = compose(OperatorMail(OPERATORS, OperatorNews.NO_CONNECTIVITY, START, lines))
    assert letter.subject == "NO CONNECTIVITY: The monitor has no network connection"
    assert "No canary has answered since 2026-10-02 13:00." in letter.text
    assert "no mail goes to a customer" in letter.text
    assert "Details\n  192.0.2.1: timeout\n  198.51.100.1: no route\n" in letter.text
    assert "Dear" not in letter.text


def test_news_without_particulars_has_no_empty_list() -> None:
    assert "Details" not in compose(OperatorMail(OPERATORS, OperatorNews.ICMP, START)).text


def test_a_report_gives_each_subscription_its_figures() -> None:
    nothing = replace(REPORT_ROW, availability=None, coverage=None, target_met=None, excluded=0, credit_percent="0")
    letter = compose(ReportMail(TURKISH, "2026-10", (REPORT_ROW, nothing)))
    assert letter.subject == "RAPOR Ekim 2026: 2 hizmet"
    assert (
        "acme-web-01 (web-01)\n"
        "  Hedef %99,75: sağlanamadı\n"
        "    Erişilebilirlik: %98,73 (en düşük %98,72, en yüksek %98,75)\n"
        "    Ölçüm kapsamı: %99,86\n"
        "    Kesinti süresi: 2 sa\n"
        "    Hariç tutulan: 1 sa\n"
        "    Kredi: %10 = 4,99 USD\n"
        "\n"
        "acme-web-01 (web-01)\n"
        "  Hedef %99,75: belirlenemedi\n"
        "    Erişilebilirlik: ölçüm yok\n"
        "    Kesinti süresi: 2 sa\n"
        "    Kredi: yok\n"
    ) in letter.text


def test_a_report_of_one_subscription_has_its_figure_in_the_subject() -> None:
    assert compose(ReportMail(ENGLISH, "2026-10", (REPORT_ROW,))).subject == "REPORT October 2026: acme-web-01 98.73 %"
    same = replace(REPORT_ROW, lowest="98.73", highest="98.73", credit_amount=None)
    text = compose(ReportMail(ENGLISH, "2026-10", (same,))).text
    assert "    Availability: 98.73 %\n" in text
    assert "    Credit: 10 %\n" in text


def test_a_credit_between_two_bands_is_not_called_certain() -> None:
    unsure = replace(REPORT_ROW, credit_certain=False)
    text = compose(ReportMail(ENGLISH, "2026-10", (unsure,))).text
    assert "    Credit: 10 % = 4.99 USD; not certain, the bounds fall into different bands\n" in text


def test_a_test_mail_says_how_it_travelled() -> None:
    letter = compose(TestMail(OPERATORS, START, "smtp mail.example.com:587 starttls"))
    assert letter.subject == "TEST mail from the monitor"
    assert "  Sent by: smtp mail.example.com:587 starttls\n" in letter.text


def test_a_reason_that_has_no_turkish_is_shown_as_it_is() -> None:
    fell = OutageMail(TURKISH, (ServerEvents("web-01", (replace(OUTAGE_STARTED, reason="error EWEIRD"),)),))
    assert "    Gözlenen: error EWEIRD\n" in compose(fell).text


def test_a_reason_with_the_router_that_said_so_has_its_turkish() -> None:
    fell = OutageMail(
        TURKISH, (ServerEvents("web-01", (replace(OUTAGE_STARTED, reason="unreachable: host (from 198.18.0.1)"),)),)
    )
    assert "    Gözlenen: ulaşılamıyor (unreachable: host from 198.18.0.1)\n" in compose(fell).text


def test_without_an_address_to_look_at_none_is_named() -> None:
    letter = compose(outage_started_mail(replace(ENGLISH, url=""), "web-01"))
    assert "More information" not in letter.text + letter.html


@pytest.mark.parametrize("reader", [TURKISH, ENGLISH, OPERATORS], ids=["tr", "en", "operators"])
def test_html_says_what_the_text_says(reader: Recipient) -> None:
    for context in sample_mails(reader).values():
        letter = compose(context)
        seen = " ".join(Page(letter.html).words)
        lines = [line.strip() for line in letter.text.splitlines() if line.strip(" =-")]
        words = [word for line in lines for word in line.replace(": ", " ").split()]
        missing = [word for word in words if word.rstrip(":") not in seen]
        assert missing == []


@pytest.mark.parametrize("reader", [TURKISH, ENGLISH], ids=["tr", "en"])
def test_html_fetches_nothing_and_links_only_to_where_to_look(reader: Recipient) -> None:
    for context in sample_mails(reader).values():
        page = Page(compose(context).html)
        assert page.fetched == []
        assert page.links == ["https://sla.example.com/"]
        assert not {"img", "script", "link", "iframe", "form"} & set(page.tags)


def test_html_names_its_language() -> None:
    assert '<html lang="tr">' in compose(outage_started_mail(TURKISH, "web-01")).html
    assert '<html lang="en">' in compose(outage_started_mail(ENGLISH, "web-01")).html


def test_markup_in_a_value_stays_a_value() -> None:
    evil = '<script src="//x"></script>&amp;"\''
    reader = replace(ENGLISH, name=evil, url='https://x.example/"><img src=x>')
    events = (OutageStarted(evil, START, evil), FlappingStarted(evil, START, 6))
    letter = compose(OutageMail(reader, (ServerEvents(evil, events, (), (ServerEvents(evil, (OUTAGE_STARTED,)),)),)))
    page = Page(letter.html)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert " ".join(page.words).count(evil) == 7


def test_only_a_web_address_becomes_a_link() -> None:
    assert Page(compose(outage_started_mail(replace(ENGLISH, url="javascript:alert(1)"), "web-01")).html).links == []


def test_a_line_break_in_a_value_cannot_forge_lines() -> None:
    reader = replace(ENGLISH, name="Acme\n\nYou owe us")
    window = replace(WINDOW, recipient=reader, reason="a\nCredit: 100 %", reference="b\r\nEnd: never")
    lines = compose(window).text.splitlines()
    assert "  Reason: a Credit: 100 %" in lines
    assert "  Reference: b End: never" in lines
    assert "Dear Acme You owe us," in lines


def test_braces_in_a_value_are_no_places() -> None:
    reader = replace(ENGLISH, name="{name.__class__} {0}")
    assert "Dear {name.__class__} {0}," in compose(outage_started_mail(reader, "web-{x}")).text


def test_a_letter_on_a_hundred_servers_is_not_cut_short_by_mail_programs() -> None:
    fell = tuple(OutageStarted(check, START, "refused") for check in ("ping", "site", "mail"))
    servers = tuple(ServerEvents(f"server-{number:03d}", fell) for number in range(100))
    letter = compose(OutageMail(TURKISH, servers))
    assert len(letter.html.encode()) < 102_000


def test_composing_twice_gives_the_same_letter() -> None:
    assert compose(outage_started_mail(ENGLISH, "web-01")) == compose(outage_started_mail(ENGLISH, "web-01"))
