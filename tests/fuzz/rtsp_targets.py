"""What is fuzzed of RTSP: every parser of text that a peer sends."""

from __future__ import annotations

import math
import socket
import ssl
from contextlib import suppress

from rtplab.protocol import proxy
from rtplab.protocol.errors import MessageError, PeerError, SessionError
from rtplab.protocol.rtsp import auth, sdp
from rtplab.protocol.rtsp.explain import explain_message
from rtplab.protocol.rtsp.headers import (
    MAX_TRANSPORTS,
    parse_range,
    parse_rtp_info,
    parse_session,
    parse_transports,
)
from rtplab.protocol.rtsp.messages import Dialect, InterleavedFrame, Request, Response, printable
from rtplab.protocol.rtsp.parser import (
    MAX_BODY,
    MAX_HEAD,
    QUIET_PERIOD,
    REPEAT_PERIOD,
    USELESS_PERIOD,
)
from rtplab.protocol.rtsp.requestparser import REQUEST_TIMEOUT, RequestParser
from rtplab.protocol.rtsp.responseparser import ResponseParser
from rtplab.protocol.rtsp.urls import MAX_URL, parse_url, resolve, without_password
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtsp.labdialogue import LabDialogue
from rtplab.receiving.rtsp.login import Login
from rtplab.receiving.rtsp.playepoch import PlayEpoch
from rtplab.receiving.rtsp.standarddialogue import Redirected, StandardDialogue
from rtplab.serving.admission.limits import Limits
from rtplab.serving.rtsp.connection import RtspConnection
from rtplab.serving.rtsp.recording import MAX_NAME, announced_media, checked_name
from rtplab.serving.rtsp.session import resource_of

MAX_PIECES = 50  # of one input: more would take time and show nothing new


def text_of(data: bytes) -> str:
    """Bytes as the parsers hand them on: what is no UTF-8 as surrogates."""
    return data.decode("utf-8", "surrogateescape")


def pieces_of(data: bytes) -> list[tuple[bytes, float]]:
    """The bytes in pieces as the first byte says, each with the seconds that pass before it."""
    size = max(1 + (data[0] if data else 0), len(data) // MAX_PIECES)
    pause = (0.0, QUIET_PERIOD, REPEAT_PERIOD, USELESS_PERIOD)[size % 4]
    return [(data[at : at + size], pause) for at in range(1, len(data), size)]


# ---------------------------------------------------------------------- requests


def request(data: bytes) -> None:
    """A stream of requests of both dialects and interleaved frames, however it is cut."""
    parser, now = RequestParser(), 0.0
    for piece, pause in pieces_of(data):
        now += pause
        parser.feed(piece, now)
        deadline = parser.deadline()
        assert deadline is None or now - 1 < deadline <= now + REQUEST_TIMEOUT
        if not _take_requests(parser, now):
            return
    _take_requests(parser, now + 2 * REQUEST_TIMEOUT)
    assert parser.deadline() is None, "bytes that nobody will ever take"


def _take_requests(parser: RequestParser, now: float) -> bool:
    """Look at all that is complete; tell if the framing is still known."""
    while (message := parser.next(now)) is not None:
        if isinstance(message, InterleavedFrame):
            assert 0 <= message.channel <= 255 and len(message.payload) <= 0xFFFF
            continue
        _look_at_request(message)
        if message.problem and message.problem.fatal:
            return False
    return True


def _look_at_request(message: Request) -> None:
    assert len(message.body) <= MAX_BODY
    reply = Response(200, session="1").serialise(message)
    assert reply.startswith(b"RTSP/1.0 200 OK") and reply.count(b"\n") <= 4, reply
    assert printable(f"{message.method} {without_password(message.uri)}").isprintable()
    explain_message(message.serialise())
    with suppress(MessageError):
        resource_of(message)
    with suppress(MessageError):
        parse_transports(message.headers.get("Transport"))


# ---------------------------------------------------------------------- replies


def response(data: bytes) -> None:
    """A stream of replies, read in either dialect: the first byte says which."""
    dialect = Dialect.LAB if data[:1] < b"\x80" else Dialect.STANDARD
    parser, now = ResponseParser(dialect), 0.0
    with suppress(MessageError):
        for piece, pause in pieces_of(data[1:]):
            now += pause
            parser.feed(piece, now)
            parser.deadline()
            while (message := parser.next(now)) is not None:
                _look_at_reply(message)
        if (last := parser.rest()) is not None:
            _look_at_reply(last)


def _look_at_reply(message: Response | Request | InterleavedFrame) -> None:
    if isinstance(message, Response):
        assert 100 <= message.status <= 999
    if not isinstance(message, InterleavedFrame):
        assert len(message.body) <= MAX_BODY
        assert len(message.raw) <= MAX_HEAD + 4 + MAX_BODY
        explain_message(message.raw)


_FRAME = Frame(b"", 1, 2**31, 0.0, 0.0)


def dialogue(data: bytes) -> None:
    """A server's replies to our client: they decide what it says next."""
    speaker = _speaker(data[0] if data else 0)
    parser = ResponseParser(speaker.dialect)
    parser.feed(data[1:], 0.0)
    step = 0
    _look_at_our_request(speaker.setup(6000))
    if isinstance(speaker, StandardDialogue):  # whatever it answers to OPTIONS, DESCRIBE is next
        _look_at_our_request(speaker.received(Response(501)))
    with suppress(MessageError, SessionError, Redirected):
        while (message := parser.next(QUIET_PERIOD)) is not None:
            if isinstance(message, Request) and isinstance(speaker, StandardDialogue):
                assert speaker.answer(message).status in (200, 400, 501, 505)
            if not isinstance(message, Response):
                continue
            following = speaker.received(message)
            if following is None:
                following = _next_request(speaker, step)
                step += 1
            _look_at_our_request(following)
            if isinstance(speaker, StandardDialogue):
                PlayEpoch(speaker.start, speaker.frame_rate).admit([_FRAME])


def _speaker(choice: int) -> LabDialogue | StandardDialogue:
    if choice % 4 == 0:
        return LabDialogue("movie.Mjpeg")
    transport = ("auto", "udp", "tcp")[choice % 4 - 1]
    return StandardDialogue(parse_url("rtsp://h/movie"), transport, Login("ann", "secret"))


def _next_request(speaker: LabDialogue | StandardDialogue, step: int) -> Request:
    makers = (
        lambda: speaker.play(None, 1.0),
        lambda: speaker.play(1.5, 2.0),
        speaker.pause,
        speaker.teardown,
    )
    return makers[min(step, len(makers) - 1)]()


def _look_at_our_request(asked: Request) -> None:
    """Whatever the server has named, what we say has the lines that it should have."""
    lines = 2 + len(asked.headers) + asked.form.blank_line
    assert asked.serialise().count(b"\n") == lines, asked


# ---------------------------------------------------------------------- header values


def headers(data: bytes) -> None:
    """The values of Transport, Range, RTP-Info and Session: the first byte says which."""
    read = (_transport, _range, _rtp_info, _session)[(data[0] if data else 0) % 4]
    with suppress(MessageError):
        read(text_of(data[1:]))


def _transport(value: str) -> None:
    transports = parse_transports(value)
    assert 1 <= len(transports) <= MAX_TRANSPORTS
    for transport in transports:
        assert parse_transports(transport.serialise())[0].serialise() == transport.serialise()


def _range(value: str) -> None:
    span = parse_range(value)
    for moment in (span.start, span.end):
        assert moment is None or 0 <= moment < 1e10
    if span.start is not None or span.end is not None:
        assert parse_range(span.serialise()).serialise() == span.serialise()


def _rtp_info(value: str) -> None:
    infos = parse_rtp_info(value)
    assert len(infos) <= MAX_TRANSPORTS
    for info in infos:
        assert info.seq is None or 0 <= info.seq <= 0xFFFF
        assert info.rtptime is None or 0 <= info.rtptime <= 0xFFFFFFFF
        assert parse_rtp_info(info.serialise()) == [info]


def _session(value: str) -> None:
    session = parse_session(value)
    assert 0 < session.timeout < math.inf and ";" not in session.session_id


def authentication(data: bytes) -> None:
    """Authorization and WWW-Authenticate: the first byte says which."""
    text = text_of(data[1:])
    with suppress(MessageError):
        if data[:1] < b"\x80":
            credentials = auth.parse_authorization(text)
            assert auth.parse_authorization(credentials.serialise()) == credentials
            if isinstance(credentials, auth.DigestCredentials):
                credentials.is_proof("00", "PLAY")
        else:
            challenges = auth.parse_challenges([text])
            for challenge in challenges:
                assert auth.parse_challenges([challenge.serialise()]) == [challenge]
                auth.answer(challenge, "ann", "secret", "PLAY", "rtsp://h/m", 1, "00").serialise()
    assert len(auth.hide_password(data)) == len(data)


# ---------------------------------------------------------------------- descriptions and addresses


def description(data: bytes) -> None:
    """A session description."""
    try:
        session = sdp.parse(data)
    except MessageError:
        return
    assert len(session.media) <= sdp.MAX_MEDIA
    for media in session.media:
        assert media.formats
        assert media.framerate is None or 0 < media.framerate < 1e7
    assert sdp.parse(data.decode("utf-8", "replace")) == session


def announcement(data: bytes) -> None:
    """What a publisher announces: the stream's name in the first line, then its description."""
    name, _, body = data.partition(b"\n")
    with suppress(MessageError):
        checked = checked_name(text_of(name))
        assert checked.isprintable() and 0 < len(checked) <= MAX_NAME and "/" not in checked
    try:
        payload_type, fps = announced_media(body)
    except MessageError as error:
        assert error.status in (400, 415) and str(error).isprintable() and len(str(error)) < 300
        return
    assert 0 <= payload_type <= 127 and 0 < fps <= 1000


def url(data: bytes) -> None:
    """An address, in its second line what to resolve against it."""
    text, _, control = text_of(data).partition("\n")
    with suppress(MessageError):
        address = parse_url(text)
        assert len(text) <= MAX_URL and 0 < address.port <= 65535
        assert "\n" not in str(address) and "\r" not in str(address)
        again = parse_url(str(address))
        assert str(again) == str(address) and not again.user and not again.password
        text_of(address.name.encode("utf-8", "surrogateescape"))
        assert "://" in resolve(str(address), control)
    assert len(without_password(text)) <= len(text)


# ---------------------------------------------------------------------- the first bytes


def proxy_header(data: bytes) -> None:
    """A PROXY header, read as the server does: never a byte too many."""
    header, rest = b"", data
    try:
        while count := proxy.missing(header):
            assert count <= proxy.MAX_V2
            if not rest:
                return
            header, rest = header + rest[:count], rest[count:]
        address = proxy.parse(header)
    except PeerError:
        return
    assert len(header) <= proxy.MAX_V2
    assert address is None or 0 <= address[1] <= 65535


_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
_UNHURRIED = Limits(requests_per_second=10**6)


def connection(data: bytes) -> None:
    """A client that says all this and hangs up; the first byte says if the port speaks TLS."""
    ours, theirs = socket.socketpair()
    server = RtspConnection(ours, _TLS if data[:1] >= b"\x80" else None, _UNHURRIED)
    try:
        theirs.sendall(data[1:])
        theirs.shutdown(socket.SHUT_WR)
        for message in server.messages(lambda: None):
            if isinstance(message, Request) and message.problem and message.problem.fatal:
                break
    except OSError:
        pass  # TLS where there is none, or none where it is
    finally:
        theirs.close()
        server.close()
