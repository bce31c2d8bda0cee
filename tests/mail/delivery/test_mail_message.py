"""The mail as it goes over the wire, read back by a parser as a mail program reads it."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.mail.message import (
    Message,
    needs_smtputf8,
    new_message_id,
    normalize_address,
    sender_address,
    sender_domain,
    to_mime,
)

MAIL = Message(
    sender="Çağrı Merkezi <sla@example.com>",
    to=("it@acme.example",),
    bcc=("noc@example.com",),
    subject="KESİNTİ ığüşöç web-01",
    text="İzleme sistemi: ağa ulaşılamıyor.\n.\nFrom here\n",
    html="<p>İzleme sistemi: ağa ulaşılamıyor.</p>\n",
    message_id="<second@example.com>",
    references=("<first@example.com>",),
    date=1_790_763_300_123,
    language="tr",
)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
    "Content-Language",
]
anything = st.text(alphabet=st.characters(codec=None), max_size=120)
nasty = st.one_of(
    anything,
    st.sampled_from(
        [
            "a\r\nBcc: evil@example.com",
            "a\nX: y",
            "a\rX: y",
            "a\u2028X: y",
            "a\x85X: y",
            "a\x0bb\x0cc\x1cd",
            "\r\n\r\nbody",
            "=?utf-8?q?a=0AX:_y?=",
            '"a" <b@c.example>, <d@e.example>',
            "\ud800",
            "ş" * 200,
        ]
    ),
)


def parsed(message: Message, *, show_bcc: bool = False) -> EmailMessage:
    mail = email.message_from_bytes(to_mime(message, show_bcc=show_bcc).as_bytes(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    content = body.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_a_mail_says_what_it_is() -> None:
    mail = parsed(MAIL)
    assert mail.keys() == HEADERS
    assert str(mail["From"]) == "Çağrı Merkezi <sla@example.com>"
    assert mail["To"] == "it@acme.example"
    assert mail["Subject"] == "KESİNTİ ığüşöç web-01"
    assert mail["Date"] == "Wed, 30 Sep 2026 10:15:00 +0000"
    assert mail["Message-ID"] == "<second@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Content-Language"] == "tr"


def test_text_stands_before_html_and_both_are_utf8() -> None:
    mail = parsed(MAIL)
    assert mail.get_content_type() == "multipart/alternative"
    assert [each.get_content_type() for each in mail.iter_parts()] == ["text/plain", "text/html"]
    assert {each.get_content_charset() for each in mail.iter_parts()} == {"utf-8"}
    assert part(mail, "plain") == MAIL.text
    assert part(mail, "html") == MAIL.html


def test_an_answer_names_the_last_mail_of_its_thread_and_all_before_it() -> None:
    mail = parsed(replace(MAIL, references=("<first@example.com>", "<middle@example.com>")))
    assert mail["In-Reply-To"] == "<middle@example.com>"
    assert mail["References"].split() == ["<first@example.com>", "<middle@example.com>"]


def test_the_first_mail_of_a_thread_answers_nothing() -> None:
    mail = parsed(replace(MAIL, references=()))
    assert mail["In-Reply-To"] is None
    assert mail["References"] is None


def test_what_is_no_message_id_is_replaced_by_one_that_stands_for_it() -> None:
    wrong = parsed(replace(MAIL, message_id="<a@b>\r\nBcc: <c@d>"))["Message-ID"]
    assert re.fullmatch(r"<[0-9a-f]{32}@localhost>", wrong)
    assert parsed(replace(MAIL, message_id="<a@b>\r\nBcc: <e@f>"))["Message-ID"] != wrong


def test_copies_are_named_only_where_no_envelope_names_them() -> None:
    assert b"noc@example.com" not in to_mime(MAIL).as_bytes()
    assert parsed(MAIL, show_bcc=True)["Bcc"] == "noc@example.com"
    assert parsed(replace(MAIL, bcc=()), show_bcc=True)["Bcc"] is None


def test_a_mail_for_copies_alone_has_a_to_header_all_the_same() -> None:
    assert parsed(replace(MAIL, to=()))["To"] == "undisclosed-recipients:;"


def test_everyone_gets_a_mail_once() -> None:
    assert replace(MAIL, to=("a@b.example", "c@d.example"), bcc=("a@b.example",)).recipients == (
        "a@b.example",
        "c@d.example",
    )


def test_a_repeat_is_the_same_mail_byte_for_byte() -> None:
    assert to_mime(MAIL).as_bytes() == to_mime(MAIL).as_bytes()


def test_every_line_is_short_seven_bit_and_ends_in_crlf() -> None:
    long = replace(MAIL, text="ş" * 3000, subject="İ" * 300, html="<p>" + "x" * 3000 + "</p>")
    wire = to_mime(long).as_bytes()
    assert wire.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", wire)
    assert max(len(line) for line in wire.split(b"\r\n")) <= 78


def test_a_long_message_id_is_neither_broken_nor_encoded() -> None:
    domain = ".".join(["a" * 60] * 4)
    ids = tuple(f"<{number:032x}@{domain}>" for number in range(3))
    wire = to_mime(replace(MAIL, message_id=ids[0], references=ids[1:])).as_bytes().decode()
    assert f"\r\nMessage-ID: {ids[0]}\r\n" in wire
    assert f"\r\nReferences: {ids[1]}\r\n {ids[2]}\r\n" in wire
    assert f"\r\nIn-Reply-To: {ids[2]}\r\n" in wire


@given(subject=nasty, name=nasty, message_id=nasty, reference=nasty, text=nasty, html=nasty)
def test_no_value_can_add_a_header_or_end_the_head(
    subject: str, name: str, message_id: str, reference: str, text: str, html: str
) -> None:
    quoted = name.replace("\\", "").replace('"', "")
    message = replace(
        MAIL,
        sender=f'"{quoted}" <sla@example.com>',
        subject=subject,
        message_id=message_id,
        references=(reference,),
        text=text,
        html=html,
    )
    mail = parsed(message)
    assert mail.keys() == HEADERS
    assert mail["To"].addresses[0].addr_spec == "it@acme.example"
    assert mail["From"].addresses[0].addr_spec == "sla@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))))
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    assert part(parsed(replace(MAIL, text=text + "\n")), "plain") == text + "\n"


@given(st.text(alphabet="abcdçğıİöşü ABC-01(),:;%…", min_size=1, max_size=80))
def test_a_subject_comes_out_as_it_went_in(subject: str) -> None:
    assert parsed(replace(MAIL, subject=subject))["Subject"] == " ".join(subject.split())


def test_what_no_reader_can_show_is_replaced_in_the_body() -> None:
    mail = parsed(replace(MAIL, text="a\x00b\ud800c\r\nd\re\tf"))
    assert part(mail, "plain") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\nd\ne\tf\n"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@",
        "@b.example",
        "a b@c.example",
        "a@b.example\nBcc: c@d.example",
        "a@b.example, c@d.example",
        "<a@b.example>",
        "a@b@c.example",
        ".a@b.example",
        "a.@b.example",
        "a..b@c.example",
        "a@-b.example",
        "a@b..example",
        "a@" + "b" * 64 + ".example",
        "a" * 65 + "@b.example",
        "a\ud800@b.example",
        "a\x7f@b.example",
        "a\u2028@b.example",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="is not an e-mail address"):
        normalize_address(address)


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("noc@example.com", "noc@example.com"),
        ("O'Neil+sla@Example.COM", "O'Neil+sla@example.com"),
        ("bilgi@bücher.example", "bilgi@xn--bcher-kva.example"),
        ("bilgi@straße.example", "bilgi@xn--strae-oqa.example"),
        ("bilgi@faß.de", "bilgi@xn--fa-hia.de"),
        ("root@localhost", "root@localhost"),
        ("müşteri@example.com", "müşteri@example.com"),
    ],
)
def test_an_address_goes_out_with_its_domain_in_ascii(address: str, wire: str) -> None:
    assert normalize_address(address) == wire


def test_only_letters_before_the_at_need_smtputf8() -> None:
    assert not needs_smtputf8(replace(MAIL, to=("bilgi@bücher.example",)))
    assert needs_smtputf8(replace(MAIL, to=("müşteri@example.com",)))
    assert needs_smtputf8(replace(MAIL, bcc=("müşteri@example.com",)))


def test_a_sender_is_a_bare_address_or_one_with_a_name() -> None:
    assert sender_address("SLA <sla@example.com>") == "sla@example.com"
    assert sender_address("sla@example.com") == "sla@example.com"
    assert sender_domain("SLA <sla@Bücher.example>") == "xn--bcher-kva.example"
    with pytest.raises(InputError):
        sender_address("SLA")


def test_message_ids_are_in_brackets_and_never_the_same() -> None:
    first, second = new_message_id("example.com"), new_message_id("example.com")
    assert re.fullmatch(r"<[0-9a-f]{32}@example\.com>", first)
    assert first != second
    assert new_message_id("bücher.example").endswith("@xn--bcher-kva.example>")
