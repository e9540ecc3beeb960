"""Citations of RFCs in a text, and the pages that they are on. Needs no Tk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# As in "RFC 2326 §12.17", "RFC 3550 section 5.1" and "RFC 3550 A.3".
_CITATION = re.compile(r"RFC (\d{3,4})(?: (?:section |§ ?)?(\d+(?:\.\d+)*|[A-F]\.\d+(?:\.\d+)*))?")
_PAGE = "https://www.rfc-editor.org/rfc/rfc{}.html"


@dataclass(frozen=True)
class Citation:
    """A section of an RFC, and where in the text it is cited: from `start` to before `end`."""

    text: str
    url: str
    start: int
    end: int


def citations_in(text: str) -> Iterator[Citation]:
    """Find the citations in a text, in order."""
    for match in _CITATION.finditer(text):
        number, section = match.groups()
        url = _PAGE.format(number)
        if section:
            url += f"#{'section' if section[0].isdigit() else 'appendix'}-{section}"
        yield Citation(match[0], url, *match.span())


def citation_at(text: str, place: int) -> Citation | None:
    """Return the citation that has the character at `place`, if any."""
    return next((one for one in citations_in(text) if one.start <= place < one.end), None)
