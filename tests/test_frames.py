"""Payloads put together to JPEGs, however lab servers cut, number and mark them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_servers import rtp
from movies import MOVIE, frames_of
from strip import frame_number_of_jpeg

from rtplab.protocol.rtp import rtpjpeg
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.receiving.rtp import frames as module
from rtplab.receiving.rtp.frames import LabAssembler, RtpJpegFrames

FRAME = b"\xff\xd8" + b"abcdefgh" + b"\xff\xd9"
OTHER = b"\xff\xd8" + b"ABCDEFGH" + b"\xff\xd9"
OPEN = b"\xff\xd8" + b"no end of image"


class Assembly:
    """An assembler that is fed by hand and notes what comes out."""

    def __init__(self, assembler=None):
        self.assembler = assembler or LabAssembler()
        self.frames = []

    def add(self, sequence, payload, timestamp=0, marker=False, payload_type=26):
        data = rtp(payload, sequence, timestamp, marker=marker, payload_type=payload_type)
        frames = self.assembler.add(sequence, parse_packet(data))
        self.frames += frames
        return frames


def cut(frame, size=4):
    return [frame[at : at + size] for at in range(0, len(frame), size)]


@pytest.mark.parametrize("marker", [False, True])
@pytest.mark.parametrize("step", [0, 1, 4500])
def test_whole_frames_have_the_number_of_their_packet(marker, step):
    assembly = Assembly()
    for number in range(1, 6):
        assert assembly.add(number, FRAME, number * step, marker) == [(number, FRAME)]
    assert assembly.assembler.dropped == 0


def test_a_lost_whole_frame_leaves_its_number_out():
    assembly = Assembly()
    for number in (1, 2, 5):
        assembly.add(number, FRAME)
    assert [number for number, _ in assembly.frames] == [1, 2, 5]


@pytest.mark.parametrize("marker", [False, True])
@pytest.mark.parametrize("step", [0, 1, 4500])
@pytest.mark.parametrize("one_number", [False, True])
def test_fragments(marker, step, one_number):
    """Each frame has one number more, whether its fragments share theirs or count on."""
    assembly, sequence = Assembly(), 0
    for number in range(1, 4):
        sequence += one_number
        for piece in cut(FRAME):
            sequence += not one_number
            assembly.add(sequence, piece, number * step, marker and piece.endswith(b"\xff\xd9"))
    assert assembly.frames == [(1, FRAME), (2, FRAME), (3, FRAME)]


@pytest.mark.parametrize("marker", [False, True])
def test_a_frame_without_its_end_is_dropped_and_counted(marker):
    assembly = Assembly()
    assert assembly.add(1, OPEN[:5], timestamp=1) == []
    assert assembly.add(2, OPEN[5:], timestamp=1, marker=marker) == []
    assert assembly.add(3, FRAME, timestamp=2) == [(2, FRAME)]
    assert assembly.assembler.dropped == 1


@pytest.mark.parametrize("step", [0, 1])
def test_a_clock_that_moves_within_a_frame_does_not_cut_it(step):
    """`int(time())`, under one sequence number or consecutive ones."""
    assembly = Assembly()
    for index, piece in enumerate(cut(FRAME)):
        assembly.add(7 + step * index, piece, timestamp=1_700_000_000 + index)
    assert [data for _, data in assembly.frames] == [FRAME]
    assert assembly.assembler.dropped == 0


def test_a_marker_on_every_piece_does_not_cut_a_frame():
    assembly = Assembly()
    for sequence, piece in enumerate(cut(FRAME) + cut(OTHER), 1):
        assembly.add(sequence, piece, marker=True)
    assert assembly.frames == [(1, FRAME), (2, OTHER)]


REAL = frames_of(MOVIE)[0]


@pytest.mark.parametrize("tail", [b"\0\0", b"\xff\xff\xff", b"old memory \xff\xd9 of the camera"])
@pytest.mark.parametrize("size", [70_000, 1400, len(REAL) - 1])
def test_what_follows_the_end_of_a_picture_is_cut_off(tail, size):
    """The last frame too: it is not waited for another."""
    assembly, sequence = Assembly(), 0
    for _ in range(2):
        for piece in cut(REAL + tail, size):
            sequence += 1
            assembly.add(sequence, piece)
    assert [data for _, data in assembly.frames] == [REAL, REAL]
    assert assembly.assembler.dropped == 0


def test_the_end_of_a_small_picture_within_the_headers_is_not_the_end():
    comment = b"\xff\xfe\0\x20" + FRAME + bytes(18)
    picture = REAL[:2] + comment + REAL[2:]
    assembly = Assembly()
    for sequence, piece in enumerate(cut(picture, 1400), 1):
        assembly.add(sequence, piece)
    assert assembly.frames == [(1, picture)]


def test_the_end_is_not_looked_for_without_end(monkeypatch):
    walks = []
    monkeypatch.setattr(module, "end_of_image", lambda data: walks.append(data) or 1 / 0)
    monkeypatch.setattr(module, "MovieError", ZeroDivisionError)
    assembly = Assembly()
    assembly.add(1, b"\xff\xd8 the first is longer than the others")
    for sequence in range(2, 50):
        assembly.add(sequence, b"\xff\xd9 not the last")
    assert len(walks) == module.MAX_LOOKS


@pytest.mark.parametrize("digits", [b"00012", b"100000"])
def test_the_digits_of_the_movie_file_are_skipped(digits):
    assembly = Assembly()
    assert assembly.add(1, digits + FRAME) == [(1, FRAME)]
    assert assembly.add(2, digits + FRAME[:6]) == []
    assert assembly.add(3, FRAME[6:]) == [(2, FRAME)]


@pytest.mark.parametrize("prefix", [b"12a45", b"     ", b"01234567890"])
def test_nothing_else_is_skipped(prefix):
    assembly = Assembly()
    assert assembly.add(1, prefix + FRAME) == []


def test_a_piece_has_the_payload_type_of_the_first():
    """Packets for error correction are sent between the others."""
    assembly = Assembly()
    assembly.add(1, FRAME[:6])
    assembly.add(2, b"parity", payload_type=127, marker=True)
    assert assembly.add(3, FRAME[6:]) == [(1, FRAME)]
    assert assembly.add(4, OTHER) == [(2, OTHER)]


@pytest.mark.parametrize(
    ("packets", "words"),
    [
        ([(1, b"no JPEG")], "FFD8"),
        ([(1, OPEN), (2, OPEN)], "FFD9"),
        ([(1, OPEN), (3, b"rest")], "missing"),
    ],
)
def test_why_nothing_came_is_known_until_the_next_frame(packets, words):
    assembly = Assembly()
    for packet in packets:
        assembly.add(*packet)
    assert words in assembly.assembler.problem
    assembly.add(4, FRAME)
    assert assembly.assembler.problem == ""


@pytest.mark.parametrize("lost", [0, 1, 2])
@pytest.mark.parametrize("marker", [False, True])
def test_a_frame_with_a_hole_is_left_out_and_the_next_is_whole(lost, marker):
    assembly, sequence = Assembly(), 0
    for number, frame in enumerate((FRAME, OTHER, FRAME)):
        for index, piece in enumerate(cut(frame)):
            sequence += 1
            if not (number == 1 and index == lost):
                assembly.add(sequence, piece, number, marker and piece.endswith(b"\xff\xd9"))
    assert [data for _, data in assembly.frames] == [FRAME, FRAME]
    assert assembly.assembler.dropped == (lost > 0)


def test_half_a_frame_before_the_numbers_start_anew_is_no_frame():
    assembly = Assembly()
    assembly.add(500, FRAME[:6])
    assert assembly.add(1, OTHER) == [(1, OTHER)]
    assembly.add(2, FRAME[:6])
    assert assembly.add(1, b"rest\xff\xd9") == []
    assert assembly.assembler.dropped == 2


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\xd8\xff", b"no JPEG", b"no JPEG\xff\xd9"])
@pytest.mark.parametrize("marker", [False, True])
def test_what_does_not_begin_as_a_jpeg_is_nothing(payload, marker):
    assembly = Assembly()
    assert assembly.add(1, payload, marker=marker) == []
    assert assembly.add(2, FRAME) == [(2, FRAME)]


def test_the_largest_frame(monkeypatch):
    monkeypatch.setattr(module, "MAX_FRAME", 1000)
    assembly = Assembly()
    assembly.add(1, FRAME[:2] + b"x" * 498)
    assert len(assembly.add(2, b"x" * 498 + b"\xff\xd9")[0][1]) == 1000


def test_a_frame_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_FRAME", 1000)
    assembly = Assembly()
    assembly.add(1, b"\xff\xd8")
    for sequence in range(2, 50):
        assert assembly.add(sequence, b"x" * 100) == []
        assert assembly.assembler._size <= 1000
    assert assembly.assembler.dropped == 1
    assert [data for _, data in assembly.add(50, FRAME)] == [FRAME]


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_the_packets_of_a_frame_are_bounded(monkeypatch, payload):
    monkeypatch.setattr(module, "MAX_PARTS", 100)
    assembly = Assembly()
    assembly.add(1, b"\xff\xd8")
    for sequence in range(2, 300):
        assert assembly.add(sequence, payload) == []
        assert len(assembly.assembler._parts) <= 100
    assert assembly.assembler.dropped == 1
    assert [data for _, data in assembly.add(300, FRAME)] == [FRAME]


payloads = st.lists(
    st.sampled_from([b"\xff\xd8", b"\xff\xd9", b"ab", b"\xff", b"\xd8", b""]), max_size=4
).map(b"".join)


@given(
    st.lists(
        st.tuples(st.integers(0, 12), payloads, st.sampled_from([0, 1, 4500]), st.booleans()),
        max_size=40,
    )
)
def test_any_packets_give_only_what_begins_as_a_jpeg(packets):
    assembly = Assembly()
    for packet in packets:
        assembly.add(*packet)
    everything = b"".join(payload for _, payload, _, _ in packets)
    for _, frame in assembly.frames:
        assert frame.startswith(b"\xff\xd8") and frame.endswith(b"\xff\xd9")
        assert len(frame) <= len(everything)


# --- RFC 2435 (the assembler itself has tests of its own) ----------------------------------------


MJPEG = 26


@pytest.fixture(scope="module")
def movie_payloads():
    """The RFC 2435 payloads of the first four frames of the movie, frame by frame."""
    return [rtpjpeg.packetize(frame, 1400) for frame in frames_of(MOVIE)[:4]]


class RfcAssembly(Assembly):
    """Feeds whole frames in payloads, and reads the frame number out of what comes out."""

    def __init__(self, payload_type=MJPEG):
        super().__init__(RtpJpegFrames(payload_type))
        self.sequence = 0

    def add_frame(self, payloads, timestamp, unfinished=False):
        numbers = []
        for payload in payloads:
            self.sequence += 1
            marker = payload is payloads[-1] and not unfinished
            for number, jpeg in self.add(self.sequence, payload, timestamp, marker):
                numbers.append((number, frame_number_of_jpeg(jpeg)))
        return numbers


def test_frames_of_rfc_2435_are_counted_from_1(movie_payloads):
    assembly = RfcAssembly()
    for number, payloads in enumerate(movie_payloads, 1):
        assert assembly.add_frame(payloads, number * 4500) == [(number, number)]


def test_packets_of_another_payload_type_are_ignored(movie_payloads):
    assembly = RfcAssembly(payload_type=96)
    assert assembly.add_frame(movie_payloads[0], 0) == []
    assert assembly.assembler.malformed == 0
    assert "26, not 96" in assembly.assembler.problem


def test_malformed_payloads_are_counted(movie_payloads):
    assembly = RfcAssembly()
    for payload in (b"", b"short", bytes(9)):
        assert assembly.add_frame([payload], 0) == []
    assert assembly.assembler.malformed == 3
    assert "0x0 pixels" in assembly.assembler.problem
    assert assembly.add_frame(movie_payloads[0], 4500) == [(1, 1)]
    assert assembly.assembler.problem == ""


@pytest.mark.parametrize("again", [900_000, 895_500, 891_000, 0], ids=lambda stamp: str(stamp))
def test_timestamps_that_go_back_or_stand_still_begin_anew(movie_payloads, again):
    """Packets come in order here, so what is older is not late: the sender counts anew."""
    assembly = RfcAssembly()
    assert assembly.add_frame(movie_payloads[0], 900_000) == [(1, 1)]
    assert assembly.add_frame(movie_payloads[1], again) == [(2, 2)]
    assert assembly.add_frame(movie_payloads[2], again + 4500) == [(3, 3)]


def test_half_a_frame_before_timestamps_go_back_is_no_frame(movie_payloads):
    assembly = RfcAssembly()
    assembly.add_frame(movie_payloads[0], 900_000)
    assembly.add_frame(movie_payloads[1][:2], 904_500, unfinished=True)
    assert assembly.add_frame(movie_payloads[2], 900_000) == [(2, 3)]
    assert assembly.add_frame(movie_payloads[3], 904_500) == [(3, 4)]
