"""The command `rtplab check`: what a camera or a server sends, and why it plays or not.

It plays the address as the player does, for a few seconds over each transport. It reports the
dialogue, the packets and pictures received, and in one sentence what to do.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rtplab.clock import steady
from rtplab.commandline import CommandLine
from rtplab.console import say, write_every_name
from rtplab.info import kind_of
from rtplab.playoptions import add_trust_options
from rtplab.protocol.errors import MessageError, MovieError, PacketError
from rtplab.protocol.rtp import jpeg, rtcp
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.states import State
from rtplab.protocol.rtsp.urls import meant_address, parse_stream_url, question
from rtplab.receiving.opening import client_for
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtsp.client import RtspClient
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.trust import TlsTrust
from rtplab.receiving.rtsp.watch import TimeLimits

WATCHED = 3.0  # seconds of pictures examined, over each transport
# Seconds that one transport may take in all. Two of them, including TEARDOWN, take 15 s at most.
LONGEST_TRIAL = 6.5
LIMITS = TimeLimits(connect=3.0, reply=3.0, silence=3.0, loss=2.0, teardown=0.5)
MAX_EXCHANGES = 50  # that are reported: a loop of redirections ends sooner
MAX_LINES = 60  # of a session description
MUCH_LOSS = 0.01  # of all packets: it shows
_SERVER = re.compile(rb"^server:[ \t]*([^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE)

# How to write an address with a password.
_WITH_USER = "put them in the address, as in {scheme}://USER:PASSWORD@{rest}"


@dataclass
class Exchange:
    """A request and the first line of its reply; "" if there was no reply."""

    request: str
    reply: str = ""
    milliseconds: float | None = None


@dataclass
class Heard:
    """An observer that records the server's messages and packets."""

    exchanges: list[Exchange] = field(default_factory=list)
    description: str = ""  # SDP
    software: str = ""
    rtp: Counter[int] = field(default_factory=Counter)  # packets by payload type
    ssrcs: set[int] = field(default_factory=set)
    rtcp: Counter[str] = field(default_factory=Counter)  # packets by what they are
    forgiven: list[str] = field(default_factory=list)
    _sent_at: float = 0.0

    def message_sent(self, data: bytes, when: float) -> None:
        if len(self.exchanges) < MAX_EXCHANGES:
            self.exchanges.append(Exchange(_first_line(data)))
            self._sent_at = when

    def message_received(self, data: bytes, when: float) -> None:
        if found := _SERVER.search(data):
            self.software = printable(found[1], 80)
        head, _, body = data.partition(b"\r\n\r\n")
        if b"application/sdp" in head.lower() and body:
            self.description = body.decode("utf-8", "replace")
        if self.exchanges and not self.exchanges[-1].reply:
            last = self.exchanges[-1]
            last.reply, last.milliseconds = _first_line(data), (when - self._sent_at) * 1000

    def packets_received(
        self, packets: list[bytes], source_port: int, is_rtcp: bool, when: float
    ) -> None:
        for data in packets:
            with suppress(PacketError):
                if is_rtcp:
                    self.rtcp.update(type(one).__name__ for one in rtcp.parse_compound(data))
                else:
                    packet = parse_packet(data)
                    self.rtp[packet.payload_type] += 1
                    if len(self.ssrcs) < MAX_EXCHANGES:
                        self.ssrcs.add(packet.ssrc)

    def packets_dropped(self, packets: list[bytes], source_port: int, when: float) -> None:
        """Nothing is dropped here: no impairment is set."""

    def packet_sent(self, data: bytes, port: int, is_rtcp: bool, when: float) -> None:
        """Ignore our own packets."""

    def forgave(self, sentence: str, when: float) -> None:
        self.forgiven.append(sentence)


@dataclass
class Pictures:
    """The pictures received."""

    count: int = 0
    damaged: int = 0
    kinds: Counter[str] = field(default_factory=Counter)  # sizes and sorts
    largest: int = 0  # bytes

    def take(self, frame: Frame) -> None:
        """Examine a frame. Runs in the receiving thread."""
        self.count += 1
        self.largest = max(self.largest, len(frame.data))
        try:
            header = jpeg.parse(frame.data)
            self.kinds[f"{header.width}x{header.height}, {kind_of(header)}"] += 1
        except MovieError:
            self.damaged += 1


@dataclass
class Trial:
    """The result of one transport."""

    way: str  # UDP, TCP, HTTP
    heard: Heard
    pictures: Pictures
    problem: str = ""
    needs_password: bool = False
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def plays(self) -> bool:
        """Tell if pictures have come that can be shown."""
        return self.pictures.count > self.pictures.damaged

    @property
    def result(self) -> str:
        """The problem in one sentence, or ""."""
        if self.plays:
            return ""
        if self.pictures.damaged:
            return f"All {self.pictures.damaged} pictures are damaged."
        return self.problem or "No picture arrived."


def main(argv: Sequence[str] | None = None, prog: str = "rtplab check") -> int:
    """Check an address; return the exit status: 0 it plays, 1 it does not, 2 usage."""
    write_every_name()
    parser = CommandLine(
        prog=prog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Test a camera or server: show what it sends, and why it plays or not.",
        epilog=f"examples:\n    {prog} rtsp://camera/stream\n"
        f"    {prog} http://camera/video --json\n\nexit status: 0 it plays, 1 it does not, 2 usage",
    )
    parser.add_argument("url", metavar="URL", help="the rtsp:// or http:// address to test")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    add_trust_options(parser)
    options = parser.parse_args(argv)
    try:
        url = parse_stream_url(options.url)
    except MessageError as error:
        parser.error(f"{error}{question(meant_address(options.url))}")
    logging.getLogger("rtplab").addHandler(logging.NullHandler())  # its messages are in the report
    trust = TlsTrust(options.ca, options.insecure, options.allow_basic)
    ways = ["HTTP"] if url.is_http else ["TCP"] if url.is_encrypted else ["UDP", "TCP"]
    trials: list[Trial] = []
    try:
        for way in ways:
            trials.append(_try(options.url, way, trust))
            if not trials[0].plays and not trials[0].heard.description:
                break  # another transport would not help
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 1
    plays = any(trial.plays for trial in trials)
    verdict = _verdict(str(url), trials)
    if options.json:
        say(json.dumps(_report(str(url), plays, verdict, trials)))
    else:
        say(*_page(str(url), trials), "", verdict)
    return 0 if plays else 1


def _try(url: str, way: str, trust: TlsTrust) -> Trial:
    """Play for a few seconds."""
    heard, pictures = Heard(), Pictures()
    source = MovieSource("", 0, url, "auto" if way == "HTTP" else way.lower(), trust)
    client = client_for(source, limits=LIMITS)
    client.observer, client.on_frame = heard, pictures.take
    end = steady() + LONGEST_TRIAL
    try:
        client.set_up()
        client.wait_for(
            lambda: client.state is not State.INIT or bool(client.error), end - steady()
        )
        if client.state is State.READY:
            client.play_movie()
            client.wait_for(lambda: bool(pictures.count or client.error), end - steady())
            watched = min(WATCHED, end - steady()) if pictures.count else 0.0
            client.wait_for(lambda: bool(client.error) or client.ended, watched)
        trial = Trial(way, heard, pictures, client.error or client.notice, client.needs_password)
        trial.figures = _figures(client)
        return trial
    finally:
        client.tear_down()


def _figures(client: Any) -> dict[str, Any]:
    """Return what was measured."""
    statistics, delay = client.reception.statistics, client.first_frame_delay
    seconds = statistics.seconds
    figures = {
        "packets": statistics.packets,
        "lost": statistics.lost,
        "loss_rate": round(statistics.loss_rate, 5),
        "reordered": statistics.reordered,
        "jitter_ms": round(statistics.jitter * 1000, 3),
        "bytes": statistics.bytes,
        "kbit_per_s": round(statistics.bytes * 8 / 1000 / seconds, 1) if seconds else 0.0,
        "fps": round((statistics.frames - 1) / seconds, 2) if seconds else 0.0,
        "first_frame_ms": None if delay is None else round(delay * 1000, 1),
        "malformed": client.reception.malformed,
    }
    if isinstance(client, RtspClient):
        figures |= {"announced_fps": client.frame_rate, "duration": client.duration}
    return figures


# --- The report -----------------------------------------------------------------------------------


def _verdict(url: str, trials: list[Trial]) -> str:
    """Return the sentence that sums up the result and says what to do."""
    playing = [trial for trial in trials if trial.plays]
    if not playing:
        return _why_not(url, trials[0])
    lossy = [one for one in playing if one.figures["loss_rate"] > MUCH_LOSS]
    ways = " and ".join(trial.way for trial in playing)
    if len(playing) < len(trials):
        failed = next(trial for trial in trials if not trial.plays)
        return (
            f"It plays over {ways}, but not over {failed.way} ({failed.result.rstrip('.')}): "
            f"set players to {ways}, e.g. with --transport {ways.lower()}."
        )
    if lossy:
        lost = 100 * lossy[0].figures["loss_rate"]
        instead = "use TCP" if lossy[0].way == "UDP" else "the network or the camera is too slow"
        return f"It plays, but {lost:.1f} % of the packets are lost over {lossy[0].way}: {instead}."
    forgiven = playing[0].heard.forgiven
    if forgiven:
        return (
            f"It plays over {ways}, but the server breaks some rules (see Forgiven): "
            "other players may refuse it."
        )
    return f"It plays over {ways}: nothing to fix."


def _why_not(url: str, trial: Trial) -> str:
    problem = trial.result
    if trial.needs_password and "Basic" not in problem:
        scheme, _, rest = url.partition("://")
        return f"It does not play. {problem.rstrip('.')}: " + (
            f"{_WITH_USER.format(scheme=scheme, rest=rest)}."
        )
    if "shows MJPEG video" in problem:
        return (
            f"It does not play. {problem.rstrip('.')}: set the camera to MJPEG (often its second "
            "stream), or convert it, e.g. with `ffmpeg -i URL -c:v mjpeg -huffman default -f rtsp "
            "rtsp://SERVER/NAME` into `rtplab serve --publish`."
        )
    return f"It does not play. {problem}"


def _page(url: str, trials: list[Trial]) -> Iterator[str]:
    """Return the lines of the report."""
    yield printable(url, 400)
    first = trials[0].heard
    if first.software:
        yield f"  server: {first.software}"
    if first.exchanges:
        yield from ("", "Dialogue")
    for exchange in first.exchanges:
        yield f"  > {exchange.request}"
        reply = exchange.reply or "(no answer)"
        took = "" if exchange.milliseconds is None else f"   ({exchange.milliseconds:.1f} ms)"
        yield f"  < {reply}{took}"
    if first.description:
        yield from ("", "Description")
        lines = first.description.splitlines()
        yield from (f"  {printable(line, 200)}" for line in lines[:MAX_LINES])
        if len(lines) > MAX_LINES:
            yield f"  ... and {len(lines) - MAX_LINES} more lines"
    for trial in trials:
        if not trial.pictures.count and not first.description:
            break  # it did not get that far
        yield from ("", f"Over {trial.way}")
        yield from (f"  {line}" for line in _of_trial(trial))
    forgiven = list(dict.fromkeys(one for trial in trials for one in trial.heard.forgiven))
    if forgiven:
        yield from ("", "Forgiven")
        yield from (f"  {sentence}" for sentence in forgiven)


def _of_trial(trial: Trial) -> Iterator[str]:
    figures, heard, pictures = trial.figures, trial.heard, trial.pictures
    if pictures.count:
        kinds = "; ".join(kind for kind, _ in pictures.kinds.most_common(3))
        yield (
            f"pictures: {pictures.count}, {figures['fps']:g} frames/s, the first after "
            f"{figures['first_frame_ms']:g} ms, the largest {pictures.largest:,} bytes"
        )
        yield f"          {kinds}" if kinds else "          all damaged"
    if pictures.damaged:
        yield f"          {pictures.damaged} of them damaged"
    if heard.rtp:
        types = ", ".join(str(kind) for kind, _ in heard.rtp.most_common(5))
        sources = ", ".join(f"{ssrc:08X}" for ssrc in sorted(heard.ssrcs)[:5])
        yield f"RTP:      {sum(heard.rtp.values())} packets, payload type {types}, SSRC {sources}"
        yield (
            f"          {figures['kbit_per_s']:g} kbit/s, {figures['lost']} lost "
            f"({100 * figures['loss_rate']:.1f} %), jitter {figures['jitter_ms']:.1f} ms"
        )
        kinds = ", ".join(f"{count} {_RTCP[name]}" for name, count in heard.rtcp.most_common())
        yield f"RTCP:     {kinds or 'none'}"
    elif pictures.count:
        yield f"rate:     {figures['kbit_per_s']:g} kbit/s, jitter {figures['jitter_ms']:.1f} ms"
    if trial.result:
        yield f"problem:  {trial.result}"


_RTCP = {
    "SenderReport": "sender reports",
    "ReceiverReport": "receiver reports",
    "SourceDescription": "names",
    "Bye": "BYE",
}


def _report(url: str, plays: bool, verdict: str, trials: list[Trial]) -> dict[str, Any]:
    """Return the object that --json prints, with the documented names."""
    first = trials[0].heard
    return {
        "url": url,
        "plays": plays,
        "verdict": verdict,
        "server": first.software or None,
        "dialogue": [
            {"request": one.request, "reply": one.reply or None, "ms": _rounded(one.milliseconds)}
            for one in first.exchanges
        ],
        "description": first.description or None,
        "trials": [
            {
                "transport": trial.way,
                "plays": trial.plays,
                "error": trial.result or None,
                "frames": trial.pictures.count,
                "damaged": trial.pictures.damaged,
                "pictures": [kind for kind, _ in trial.pictures.kinds.most_common(5)],
                "largest": trial.pictures.largest,
                "payload_types": sorted(trial.heard.rtp),
                "rtcp": dict(trial.heard.rtcp),
                **trial.figures,
            }
            for trial in trials
        ],
        "forgiven": list(dict.fromkeys(one for trial in trials for one in trial.heard.forgiven)),
    }


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def _first_line(data: bytes) -> str:
    return printable(data.split(b"\n", 1)[0].rstrip(), 200)
