"""RTP and RTCP that has come, read with code of its own: only JPEGs are put together by ours."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from strip import frame_number_of_jpeg

from rtplab.protocol.rtp.jpegassembler import JpegAssembler
from rtplab.protocol.rtp.rtpjpeg import parse_payload

RTP_HEAD = struct.Struct(">BBHII")


@dataclass
class Received:
    """RTP and RTCP packets in the order they came in."""

    rtp: list[bytes] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)

    def rtcp_types(self) -> list[int]:
        """The types of all packets in all compound packets."""
        types = []
        for compound in self.rtcp:
            offset = 0
            while offset < len(compound):
                types.append(compound[offset + 1])
                offset += 4 + 4 * int.from_bytes(compound[offset + 2 : offset + 4], "big")
            assert offset == len(compound)
        return types

    def headers(self) -> list[tuple[int, ...]]:
        """(first byte, marker and payload type, sequence number, timestamp, SSRC) of all RTP."""
        return [RTP_HEAD.unpack_from(packet) for packet in self.rtp]

    def frames(self) -> list[int]:
        """The numbers of the frames that all of it shows. No packet may be missing."""
        return list(map(frame_number_of_jpeg, self.pictures()))

    def pictures(self) -> list[bytes]:
        """The frames as JPEGs. No packet may be missing."""
        assembler, pictures = JpegAssembler(), []
        for packet, (_, second, _, timestamp, _) in zip(self.rtp, self.headers(), strict=True):
            fragment = parse_payload(packet[RTP_HEAD.size :])
            picture = assembler.add(fragment, timestamp, bool(second & 0x80))
            assert (picture is not None) == bool(second & 0x80), "a frame is not whole"
            if picture is not None:
                pictures.append(picture)
        return pictures
