"""The client's requests to a standard server (RFC 2326), and the meaning of the replies."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtplab.protocol.errors import MessageError, SessionError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp import sdp
from rtplab.protocol.rtsp.headers import (
    Range,
    SessionHeader,
    Transport,
    parse_chosen_transport,
    parse_range,
    parse_rtp_info,
    parse_session,
)
from rtplab.protocol.rtsp.messages import Dialect, Headers, Request, Response, printable
from rtplab.protocol.rtsp.urls import Url, escaped, parse_url, resolve
from rtplab.receiving.rtp.frames import RtpJpegFrames
from rtplab.receiving.rtp.source import SourceChoice
from rtplab.receiving.rtsp.labdialogue import refusal
from rtplab.receiving.rtsp.login import Login
from rtplab.receiving.rtsp.playepoch import PlayStart

USER_AGENT = "rtplab"
TRANSPORTS = ("auto", "udp", "tcp")

_PAYLOAD_TYPE = re.compile(r"\d{1,3}\Z", re.ASCII)
_SCALE = re.compile(r"[+-]?\d{1,4}(?:\.\d{0,9})?\Z", re.ASCII)


@dataclass(frozen=True)
class Presentation:
    """DESCRIBE's description of the movie; None for what it does not state."""

    aggregate_url: str  # for PLAY, PAUSE and TEARDOWN
    track_url: str  # for SETUP
    payload_type: int = sdp.JPEG_PAYLOAD_TYPE
    duration: float | None = None  # seconds
    frame_rate: float | None = None  # frames a second
    size: tuple[int, int] | None = None  # width and height in pixels


class KeepAliveMethod:
    """The request that keeps a session alive: GET_PARAMETER, or OPTIONS if that is unknown."""

    def __init__(self) -> None:
        self.name = "GET_PARAMETER"
        self._is_refused = False

    def refused(self) -> None:
        """Note that it was refused or never answered, which outweighs what `learn` finds."""
        self.name, self._is_refused = "OPTIONS", True

    def learn(self, response: Response) -> None:
        """RFC 2326 section 12.28: any reply may say which methods the server knows."""
        public = response.headers.get("Public").upper()
        if public and not self._is_refused:
            known = [method.strip() for method in public.split(",")]
            self.name = "GET_PARAMETER" if "GET_PARAMETER" in known else "OPTIONS"


class Redirected(Exception):
    """The server says that the movie is at a different address."""

    def __init__(self, url: Url) -> None:
        super().__init__(str(url))
        self.url = url


class StandardDialogue:
    """A session in the standard dialect: OPTIONS, DESCRIBE, SETUP, then PLAY as often as wished.

    Half of its attributes are those of a Dialogue, the others are the contents of its requests.
    """

    dialect = Dialect.STANDARD
    can_seek = True
    wants_rtcp = True
    rtp_version: int | None = 2  # RFC 3550 section 5.1

    def __init__(
        self,
        url: Url,
        transport: str = "auto",
        login: Login | None = None,
        forgiveness: Forgiveness | None = None,
    ) -> None:
        """`transport` is one of TRANSPORTS; auto is UDP, and TCP if that is refused."""
        self.url = url
        self._forgiveness = forgiveness or Forgiveness()
        self._login = login or Login()
        self.uses_udp = transport != "tcp"
        self.session_id = ""
        self.transport = Transport()
        self.timeout: float | None = None
        self.start: PlayStart | None = PlayStart()
        self.refused = ""
        self._may_change_transport = transport == "auto"
        self._wanted = self.transport  # what we ask for in SETUP
        self._rtp_port = 0
        self._method = ""
        self._last_request: tuple[str, list[tuple[str, str]]] = "", []  # its URL and headers
        self._movie = Presentation(str(url), str(url))
        self._keep_alive = KeepAliveMethod()
        self._keep_alive_repeated = False

    @property
    def duration(self) -> float | None:
        """The length of the movie in seconds, if DESCRIBE states it."""
        return self._movie.duration

    @property
    def frame_rate(self) -> float | None:
        """Frames a second of the movie, if DESCRIBE states it."""
        return self._movie.frame_rate

    # ------------------------------------------------------------------ requests

    def setup(self, rtp_port: int) -> Request:
        """Begin with OPTIONS; DESCRIBE and SETUP follow, for our `rtp_port` and the one above."""
        self._rtp_port = rtp_port
        return self._request("OPTIONS", str(self.url))

    def play(self, position: float | None, scale: float) -> Request:
        """Return PLAY, from `position` in seconds (None: the current one), at `scale`."""
        headers = []
        if position is not None:
            headers.append(("Range", Range(position).serialise()))
        before = self.start or PlayStart()
        if scale != before.scale or scale != 1.0:
            headers.append(("Scale", f"{scale:g}"))
        self.start = PlayStart(before.start if position is None else position, scale=scale)
        return self._request("PLAY", self._movie.aggregate_url, headers)

    def pause(self) -> Request:
        """Stop the sending."""
        return self._request("PAUSE", self._movie.aggregate_url)

    def teardown(self) -> Request:
        """End the session."""
        return self._request("TEARDOWN", self._movie.aggregate_url)

    def keep_alive(self, is_ignored: bool) -> Request:
        """Return the request that the server knows; some do not answer an unknown one."""
        if is_ignored:
            self._keep_alive.refused()
        self._keep_alive_repeated = False
        return self._headed(self._keep_alive.name, self._movie.aggregate_url, [])

    def kept_alive(self, response: Response) -> Request | None:
        """Take the reply to `keep_alive`, which must be repeated if its nonce was too old."""
        if response.status == 401 and not self._keep_alive_repeated:
            self._keep_alive_repeated = True
            self._login.begin_request()
            self._login.take(response.headers)
            return self._headed(self._keep_alive.name, self._movie.aggregate_url, [])
        if response.status != 200:
            self._keep_alive.refused()
        self._keep_alive.learn(response)
        return None

    def answer(self, request: Request) -> Response:
        """Answer a request from the server (RFC 2326 section 10)."""
        if request.problem is not None:
            return Response(request.problem.status, session=self.session_id)
        is_question = request.method in ("GET_PARAMETER", "SET_PARAMETER") and not request.body
        if request.method == "OPTIONS":
            public = Headers([("Public", "OPTIONS, GET_PARAMETER, SET_PARAMETER, ANNOUNCE")])
            return Response(200, public, session=self.session_id)
        is_known = is_question or self.says_end(request)
        return Response(200 if is_known else 501, session=self.session_id)

    def says_end(self, request: Request) -> bool:
        """Tell if a request from the server announces the end: ANNOUNCE with notice 2101."""
        headers = request.headers
        notice = headers.get("X-Notice") or headers.get("Notice")
        return request.method == "ANNOUNCE" and notice.split(None, 1)[:1] == ["2101"]

    # ------------------------------------------------------------------ media

    def assembler(self) -> RtpJpegFrames:
        """Assemble RFC 2435 frames, from packets of the type that DESCRIBE named."""
        return RtpJpegFrames(self._movie.payload_type, self._forgiveness, self._movie.size)

    def source(self) -> SourceChoice:
        """Transport's SSRC is a hint; on an RTSP connection's channel there is only one source."""
        return SourceChoice(self.transport.ssrc, not self.uses_udp, self._forgiveness)

    # ------------------------------------------------------------------ replies

    def received(self, response: Response) -> Request | None:
        """Take the reply to the last request; return the request that must follow, or None."""
        self._keep_alive.learn(response)
        if response.status in (301, 302, 303, 305, 307):
            raise Redirected(self._redirection(response))
        self.refused = ""
        if self._method == "OPTIONS":  # even if refused: some servers refuse only OPTIONS
            if response.status != 200:
                self.refused = str(refusal(self._method, response, str(self.url)))
            return self._request("DESCRIBE", str(self.url), [("Accept", "application/sdp")])
        if response.status == 461 and self._may_change_transport and self.uses_udp:
            self.uses_udp = False
            return self._setup_request()
        if response.status == 401:
            self._login.take(response.headers)
            return self._headed(self._method, *self._last_request)
        if response.status != 200:
            raise refusal(self._method, response, str(self.url))
        try:
            return self._accepted(response)
        except MessageError as error:
            raise SessionError(
                f"The server's response to {self._method} is malformed: {error}."
            ) from error

    def _accepted(self, response: Response) -> Request | None:
        if self._method == "DESCRIBE":
            self._described(response)
            return self._setup_request()
        if self._method == "SETUP":
            self._set_up(response)
        elif self._method == "PLAY":
            self._playing(response)
        return None

    def _described(self, response: Response) -> None:
        description = sdp.parse(response.body, self._forgiveness)
        media, payload_type = self._choose_media(description)
        headers = response.headers
        base = headers.get("Content-Base") or headers.get("Content-Location")
        if not _is_address(base):
            if base:
                self._forgiveness.add("Content-Base", base, f"an address such as {self.url}/")
            base = str(self.url)
        span = media.range or description.range
        self._movie = Presentation(
            resolve(base, description.control),
            resolve(base, media.control),
            payload_type,
            span.end if span else None,
            media.framerate,
            media.size,
        )

    def _choose_media(
        self, description: sdp.SessionDescription
    ) -> tuple[sdp.MediaDescription, int]:
        """Return the first MJPEG video and its payload type.

        Raises SessionError that names what the server offers instead.
        """
        for media in description.media:
            for payload_type in media.formats:
                if media.media == "video" and _is_jpeg(media, payload_type):
                    return media, int(payload_type)
        offered = ", ".join(map(_name_of, description.media)) or "nothing"
        raise SessionError(f"This player shows MJPEG video; the server offers {offered}.")

    def _setup_request(self) -> Request:
        ports = (self._rtp_port, self._rtp_port + 1)
        if self.uses_udp:
            self._wanted = Transport("UDP", client_port=ports)
        else:
            self._wanted = Transport("TCP", interleaved=(0, 1))
        return self._request(
            "SETUP", self._movie.track_url, [("Transport", self._wanted.serialise())]
        )

    def _set_up(self, response: Response) -> None:
        self._take_session(response)
        chosen = response.headers.get("Transport")
        self.transport = parse_chosen_transport(chosen, self._wanted, self._forgiveness)
        self.uses_udp = self.transport.lower == "UDP"
        if not self.uses_udp and self.transport.interleaved is None:
            raise MessageError("it has no interleaved channels")

    def _take_session(self, response: Response) -> None:
        """Note the session, named by the reply to SETUP; some servers name it only after PLAY."""
        value = response.headers.get("Session")
        session = parse_session(value, self._forgiveness) if value else SessionHeader("")
        if not session.session_id:
            what = f"Session in the reply to {self._method}"
            self._forgiveness.add(what, None, "Session: NUMBER")
        self.session_id, self.timeout = session.session_id, session.timeout

    def _playing(self, response: Response) -> None:
        if not self.session_id:
            self._take_session(response)
        headers = response.headers
        span = self._range(headers.get("Range"))
        start = (self.start or PlayStart()).start
        if span is not None and span.start is not None:
            start = span.start
        rtptime = first_number = None
        track = self._movie.track_url
        infos = parse_rtp_info(headers.get("RTP-Info")) if "RTP-Info" in headers else []
        ours = [info for info in infos if track.endswith(info.url)]
        for info in ours:
            rtptime, first_number = info.rtptime, info.seq
        if infos and not ours:
            self._forgiveness.add("url in RTP-Info", infos[0].url, f"{track}, as in SETUP")
        # RFC 2326 section 12.34: a reply must state the scale, so without one it is 1.
        scale = self._scale(headers.get("Scale")) or 1.0
        self.start = PlayStart(start, rtptime, scale, first_number)

    def _range(self, value: str) -> Range | None:
        try:
            return parse_range(value)
        except MessageError as error:  # then we count from the position we requested
            if value and error.status != 501:  # 501 is for other units, such as clock
                self._forgiveness.add("Range in the reply to PLAY", value, "npt=SECONDS-")
            return None

    def _scale(self, value: str) -> float | None:
        if _SCALE.match(value):
            return float(value)
        if value:
            self._forgiveness.add("Scale in the reply to PLAY", value, "a number")
        return None

    def _redirection(self, response: Response) -> Url:
        try:
            url = parse_url(response.headers.get("Location"))
        except MessageError as error:
            raise SessionError(f"The server redirects to an invalid address: {error}.") from error
        if url.scheme != self.url.scheme:
            raise SessionError(
                f"The server redirects to {printable(str(url))}, which was not followed."
            )
        return url

    # ------------------------------------------------------------------ building requests

    def _request(
        self, method: str, url: str, headers: list[tuple[str, str]] | None = None
    ) -> Request:
        self._method = method
        self._last_request = url, headers or []
        self._login.begin_request()
        return self._headed(method, *self._last_request)

    def _headed(self, method: str, url: str, headers: list[tuple[str, str]]) -> Request:
        url = escaped(url)
        common = [("User-Agent", USER_AGENT)]
        if self.session_id:
            common.append(("Session", self.session_id))
        common += self._login.authorization(method, url)
        return Request(method, url, Headers(common + headers))


def _is_jpeg(media: sdp.MediaDescription, payload_type: str) -> bool:
    if not _PAYLOAD_TYPE.match(payload_type) or int(payload_type) > 127:
        return False
    mapped = media.rtpmap.get(int(payload_type), "")
    return mapped.upper().startswith("JPEG/") or (
        not mapped and int(payload_type) == sdp.JPEG_PAYLOAD_TYPE
    )


def _name_of(media: sdp.MediaDescription) -> str:
    """Return what a media section offers, as in "H264 video"."""
    encodings = [encoding.partition("/")[0] for encoding in media.rtpmap.values()]
    return printable(f"{' or '.join(encodings) or media.protocol} {media.media}", 60)


def _is_address(text: str) -> bool:
    try:
        return bool(parse_url(text))
    except MessageError:
        return False
