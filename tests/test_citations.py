"""Which sections of RFCs a text cites, and where they can be read."""

from __future__ import annotations

import pytest

from rtplab.player.model.citations import citation_at, citations_in

RFC = "https://www.rfc-editor.org/rfc"


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("numbers the request (RFC 2326 §12.17)", ["/rfc2326.html#section-12.17"]),
        ("RTP header (RFC 3550 section 5.1)", ["/rfc3550.html#section-5.1"]),
        ("Loss (RFC 3550 A.3)", ["/rfc3550.html#appendix-A.3"]),
        ("see RFC 2435.", ["/rfc2435.html"]),
        ("by RFC 2326 §7.1.1 and RFC 768", ["/rfc2326.html#section-7.1.1", "/rfc768.html"]),
        ("RFC 2326 A section", ["/rfc2326.html"]),
        ("nothing of the kind: RFC, RFC 12", []),
    ],
)
def test_what_is_cited(text: str, urls: list[str]) -> None:
    assert [one.url for one in citations_in(text)] == [RFC + url for url in urls]


def test_where_it_is_cited() -> None:
    text = "Jitter (RFC 3550 A.8)"
    assert [i for i in range(len(text)) if citation_at(text, i)] == list(range(8, 20))
