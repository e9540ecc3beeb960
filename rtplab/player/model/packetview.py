"""One packet as a drawing: its fields, bit by bit. Needs no Tk. Lengths are pixels at 1x.

The fields stand in rows of 32 bits, as RFC 3550 sections 5.1 and 6.4 and RFC 2435 draw them.
"""

from __future__ import annotations

from rtplab.player.model.lettering import Lettering, broken
from rtplab.player.model.shapes import Font, Rectangle, Role, Shape, Text
from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.protocol.rtsp.explain import Field, jpeg_fields, rtp_fields
from rtplab.protocol.rtsp.explainrtcp import rtcp_sections
from rtplab.protocol.rtsp.messages import printable

_WORD = 32  # bits of a row
_MARGIN = 14.0
_ROW = 46.0
_HEADING = 30.0
_RULER = 14.0  # height of the line with the numbers of the bits
_FIRST_BYTES = 32  # of the payload that are shown
_MAX_WORDS = 800  # characters
_UNBROKEN = "\u00a0"  # a space at which no line ends
_FIRST = 4.0  # from the top to the first heading


class PacketDrawing:
    """The shapes of one packet, or of a sentence instead, and how high they are."""

    def __init__(self, width: float, lettering: Lettering) -> None:
        self._width = width
        self._lettering = lettering
        self._y = _FIRST  # where the next thing is drawn
        self.shapes: list[Shape] = []

    @property
    def height(self) -> float:
        return self._y + 8

    def add_sentence(self, text: str) -> None:
        """Say why there is no packet to be seen."""
        self._y += 6
        self._write(text, "text", "normal")

    def add_rtp(self, data: bytes, place: float | None) -> None:
        """Draw an RTP packet; `place` is its timestamp in seconds from the movie's beginning."""
        try:
            payload = parse_packet(data).payload
            fields = rtp_fields(data)
        except PacketError as error:
            self.add_sentence(f"Not an RTP packet: {error}.")
            return
        self._add_header("RTP header (RFC 3550 section 5.1)", fields)
        meanings = [f"{field.name}: {field.meaning}" for field in fields if field.bits < 7]
        meanings += [] if place is None else [f"timestamp: {place:.3f} s into the movie"]
        self._y += 3
        self._write(" · ".join(one.replace(" ", _UNBROKEN) for one in meanings), "muted")
        self._y += 8
        self._add_payload(payload)

    def add_reports(self, data: bytes) -> None:
        """Draw each of the packets that a compound RTCP packet is made of."""
        try:
            sections = rtcp_sections(data)
        except PacketError as error:
            self.add_sentence(f"Not an RTCP packet: {error}.")
            return
        for title, fields, words in sections:
            self._add_header(title, fields)
            if words:
                self._y += 3
                self._write(printable(words, _MAX_WORDS), "muted")
            self._y += 10

    def _write(self, text: str, colour: Role, font: Font = "small") -> None:
        """Write a text of as many lines as it needs."""
        text = broken(text, font, self._width - 2 * _MARGIN, self._lettering)
        text = text.replace(_UNBROKEN, " ")
        self.shapes.append(Text(_MARGIN, self._y, text, colour, font, "nw"))
        self._y += self._lettering.line_height(font) * (text.count("\n") + 1)

    def _add_payload(self, payload: bytes) -> None:
        size = f"{len(payload):,} bytes"
        try:
            fields = jpeg_fields(payload)
        except PacketError:
            self._write(f"Payload: {size}, continuing the previous frame.", "text", "normal")
        else:
            if fields:
                self._add_header("JPEG header (RFC 2435 section 3.1)", fields)
                self._y += 6
                self._write(f"Payload with this header: {size}", "text", "normal")
                payload = payload[sum(field.bits for field in fields) // 8 :]
            else:
                text = f"Payload: {size}, a whole JPEG, or the start of one (lab)."
                self._write(text, "text", "normal")
        self._y += 4
        for start in range(0, min(len(payload), _FIRST_BYTES), 16):
            row = payload[start : min(start + 16, _FIRST_BYTES)]
            self._write(row.hex(" ").upper(), "muted", "fixed")

    def _add_header(self, title: str, fields: list[Field]) -> None:
        self.shapes.append(Text(_MARGIN, self._y, title, "text", "bold", "nw"))
        self._y += _HEADING
        for bit in range(0, _WORD, 8):
            x = self._bit_x(bit + 0.5)
            self.shapes.append(Text(x, self._y, str(bit), "muted", "small", "center"))
        self._y += _RULER
        bit = 0
        for field in fields:
            self._add_field(field, bit)
            bit += field.bits
            if bit >= _WORD:
                bit -= _WORD
                self._y += _ROW
        self._y += _ROW if bit else 0

    def _bit_x(self, bit: float) -> float:
        return _MARGIN + bit * (self._width - 2 * _MARGIN) / _WORD

    def _add_field(self, field: Field, bit: int) -> None:
        y, left, right = self._y, self._bit_x(bit), self._bit_x(bit + field.bits)
        middle = (left + right) / 2
        self.shapes += [
            Rectangle(left, y, right, y + _ROW, "raised", "border"),
            Text(middle, y + 9, field.name, "muted", "small", "center"),
        ]
        for number, digit in enumerate(f"{field.value:0{field.bits}b}"):
            x = self._bit_x(bit + number + 0.5)
            colour: Role = "accent" if digit == "1" else "muted"
            self.shapes.append(Text(x, y + 24, digit, colour, "fixed", "center"))
        value = field.text if field.bits > 1 else ""
        if field.bits >= 8 and field.meaning:
            value += f"   {field.meaning}" if field.bits > 16 else f"  {field.meaning}"
        if field.bits <= 8 and self._lettering.width(value, "small") > right - left - 4:
            value = f"{field.value}"
        self.shapes.append(Text(middle, y + 38, value, "text", "small", "center"))
