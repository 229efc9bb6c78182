"""research.fetch of PDFs: their text, their title and their day, or plainly what is wrong with them."""

import asyncio
import time
import zlib
from datetime import UTC, datetime
from io import BytesIO

import pytest
from pypdf import PdfReader, PdfWriter

from services.orchestrator.tools.ports import Unreadable
from services.orchestrator.web import pypdf as web_pdf
from services.orchestrator.web.http import WebLimits
from services.orchestrator.web.pypdf import PdfTexts, text_of_pdf
from tests.contracts.tools.web_site import Site, reader_of, refused

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
DAY = "D:20240314090000+01'00'"
PDF = "application/pdf"


def pdf(*pages: str, packed: bool = False, **about: str) -> bytes:
    """A page for each text, written by hand; `about` is its metadata."""
    info = "".join(f"/{name} ({value})" for name, value in about.items())
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        shown = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("latin-1") if text else b""
        stream, packing = (zlib.compress(shown), "/Filter /FlateDecode ") if packed else (shown, "")
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode(),
            f"<< {packing}/Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream",
        ]
    objects.append(f"<< {info} >>".encode("latin-1"))
    body, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n".encode() + one + b"\nendobj\n"
    rows = "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    trailer = f"<< /Size {count} /Root 1 0 R /Info {count - 1} 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + f"xref\n0 {count}\n0000000000 65535 f \n{rows}trailer\n{trailer}".encode()


def locked(body: bytes, password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(body)))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


# --- what is read ---


async def test_a_pdf_is_its_text_its_title_and_its_day(site: Site) -> None:
    body = pdf(
        "Bees dance on the comb.", "", "The end.", packed=True, Title="How  bees dance", CreationDate=DAY
    )
    site.text("/bees.pdf", body, PDF)

    page = await reader_of(site).fetch(site.url("/bees.pdf"))

    assert page.text == "Bees dance on the comb.\n\nThe end."
    assert page.title == "How bees dance"
    assert page.published_at == datetime(2024, 3, 14, 8, tzinfo=UTC)
    assert (page.url, page.domain) == (site.url("/bees.pdf"), f"site.test:{site.port}")


def test_a_pdf_that_anybody_may_open_is_read_though_it_is_locked() -> None:
    assert text_of_pdf(locked(pdf("Bees dance."), ""), NOW).text == "Bees dance."


@pytest.mark.parametrize(
    ("said", "made_at"),
    [
        ("D:20260314", datetime(2026, 3, 14, tzinfo=UTC)),
        ("D:20260314080000Z", datetime(2026, 3, 14, 8, tzinfo=UTC)),
        ("D:19700101000000Z", None),
        ("D:20991231000000Z", None),
        ("D:00010101000000+14'00'", None),
        ("last week", None),
        ("", None),
    ],
)
def test_a_day_that_cannot_be_is_left_out(said: str, made_at: datetime | None) -> None:
    read = text_of_pdf(pdf("Bees.", Title="Bees", CreationDate=said), NOW)

    assert (read.made_at, read.title, read.text) == (made_at, "Bees", "Bees.")


def test_a_pdf_that_says_nothing_about_itself_has_neither_title_nor_day() -> None:
    read = text_of_pdf(pdf("Bees."), NOW)

    assert (read.title, read.made_at, read.fault) == ("", None, "")


def test_of_a_long_pdf_the_beginning_is_read_and_it_says_so() -> None:
    many = text_of_pdf(pdf(*[f"Page {number}." for number in range(130)]), NOW).text
    long = text_of_pdf(pdf(*["bees " * 10_000] * 5), NOW).text

    assert many.startswith("Page 0.\n\nPage 1.")
    assert many.endswith("Page 99.\n\n[read until page 100 of 130]")
    assert len(long) < 100_100
    assert long.endswith("[read until page 3 of 5]")


# --- what is not ---


@pytest.mark.parametrize(
    ("body", "said", "brief"),
    [
        (locked(pdf("The secret."), "word"), "it is a PDF that wants a password", "locked PDF"),
        (pdf("", ""), "it is a PDF of pictures without text, such as a scan", "no text"),
        (b"%PDF-1.4\nnothing", "it is a PDF that cannot be read", "broken PDF"),
        (pdf("Bees.")[:200], "it is a PDF that cannot be read", "broken PDF"),
        (b"<html>Not found</html>", "it is a PDF that cannot be read", "broken PDF"),
        (b"", "it is a PDF that cannot be read", "broken PDF"),
    ],
    ids=["locked", "scanned", "garbage", "cut", "another type", "empty"],
)
async def test_what_is_wrong_with_a_pdf_is_said(body: bytes, said: str, brief: str, site: Site) -> None:
    site.text("/it.pdf", body, PDF)

    with pytest.raises(Unreadable) as error:
        await reader_of(site).fetch(site.url("/it.pdf"))

    assert error.value.reason.startswith(said)
    assert error.value.reason.endswith("ook for another copy")
    assert (error.value.domain, error.value.brief) == (f"site.test:{site.port}", brief)


async def test_a_pdf_that_is_too_large_is_not_read_to_its_end(site: Site) -> None:
    site.stream("/", b"%PDF" * 25_000, 500, kind=PDF)

    assert "it is larger than 1 MB" in await refused(reader_of(site), site.url("/"))


async def test_a_pdf_that_takes_too_long_is_ended_and_holds_nobody(site: Site) -> None:
    site.text("/long.pdf", pdf(*["bees " * 4_000] * 40), PDF)
    site.text("/short.pdf", pdf("Bees."), PDF)
    reader = reader_of(site, limits=WebLimits(seconds=30.0, text_seconds=0.05))
    began = time.monotonic()

    reasons = await asyncio.gather(*(refused(reader, site.url("/long.pdf")) for _ in range(4)))

    assert all("its text could not be found in time" in reason for reason in reasons)
    assert time.monotonic() - began < 10
    assert (await reader_of(site).fetch(site.url("/short.pdf"))).text == "Bees."


async def test_a_pdf_that_unpacks_without_end_is_a_broken_one() -> None:
    bomb = pdf("x" * 100_000_000, packed=True)
    assert len(bomb) < 1_000_000

    assert (await PdfTexts(seconds=30.0).read(bomb)).fault == "broken"


async def test_the_process_that_reads_it_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", "alice:secret")

    assert "API_KEYS" not in web_pdf.environment()
    assert (await PdfTexts().read(pdf("Bees."))).text == "Bees."
