"""What a scenario saw of a submission: a header and timed events, kept as lines of JSON.

A scenario does all input and output and writes one recording; the checks read recordings and
nothing else. The first line of a file is the header, every other line one event:

    {"scenario": "client.session", "edition": "python", "facts": {...}}
    {"t": 0.4131, "kind": "tcp.in", "connection": 1, "data": {"hex": "53455455..."}}

`t` is in seconds since the scenario began. Bytes are {"hex": "..."} on disk and `bytes` here.

Facts, where the scenario has them:

    seed            int     what the secret inputs were drawn from
    wall            float   Unix time at which the scenario began
    noise           float   seconds by which timers of 10 ms were late meanwhile: the median
    noise_worst     float   the same: the worst
    dropped         int     datagrams for which our ports had no room, as we were late to read
    shields         list    words for what held the submission in
    python          str     version of the interpreter that ran it
    display         str     "xvfb" or "stub": where pictures were seen
    movie           str     the file name that was asked for
    frames          list    of {"size": int, "sha256": str}: frame n of the movie is frames[n - 1]
    interval        float   seconds between the frames that our lab server sends
    rtsp_port       int     where the submission's server listens, or ours does
    rtp_port        int     the RTP port that the submission's client was given, or that ours has
    session         str     the session id that our lab server gives
    form            str     name of the request form (editions) that our lab client asks in
    reply           str     name of the reply form that our lab server answers in
    pieces          int     in how many segments it sends a reply, if not in one
    status          int     what our lab server answers to SETUP, if not 200
    unable          str     a sentence: why the scenario could not be run here (no events then)

Kinds of events. `role` is "server", "client" or "packet": which of the submission's programs.

    step            name                    what the scenario does from now on: "start", "setup",
                                            "play", "pause", "resume", "teardown", "end" and others
                                            that the scenario names (below)
    fault           text                    the grader's own failure; what follows is not to be used
    process.start   role pid argv           one of the submission's processes was started
    process.exit    role status             it ended by itself; -9 is by signal 9, as subprocess has
    process.killed  role                    it had to be ended when the scenario was over
    process.stdout  role data               as it came; at most 64 KB a process are kept,
                                            1 MB of packet's
    process.stderr  role data               the same
    sample          role threads cpu fds tasks waited
                                            its threads, CPU seconds so far, open descriptors, and
                                            how often each thread has waited ("tid": number);
                                            waited: seconds for which others had the CPU,
                                            of all its threads, also those that have ended
    port            port bound              the UDP port is (True) or is not (False) bound; written
                                            when it changes and at the scenario's questions
    tcp.listening   port                    the submission's server took a connection there
    tcp.refused     port                    it did not within the limit
    tcp.accepted    connection source port  the submission's client connected to our lab server
    tcp.connected   connection source port  our lab client connected to the submission's server
    tcp.in          connection data         bytes from the submission, one recv
    tcp.out         connection data         bytes to the submission, one send
    tcp.closed      connection by           "them" (FIN), "reset" (RST) or "us"
    udp.in          port source data        a datagram from their `source` to our `port`
    udp.out         port source data        a datagram from our `source` to their `port`
    udp.refused     port                    nobody has the port to which we sent (ICMP)
    click           button found [reacted]  a button was pressed by its text ("Setup", "Play",
                                            "Pause", "Teardown"); found False: there is none, or
                                            with reacted False: the window did not react
    window          shown title             the client's window is there (True) or is gone (False)
    picture         frame                   the frame whose strip the window shows has changed: its
                                            number, or None if no frame is to be seen any more
    again           connected               the window stayed after TEARDOWN, and Setup was clicked:
                                            whether the client connected once more
    responsive      seconds                 the window's main loop took so long to answer
    hook            name ...                said inside the submission's process, so untrusted: for
                                            sentences only. Names: "buttons" (texts), "traceback"
                                            (thread, text), "stack" (threads: {name: text}), "sent",
                                            "received", "stdin" (it asked a question), "labels"
                                            (texts: what the window's labels say), "dialog" (form,
                                            title, text: it was agreed to)
    files           left                    names that were new in its folder when it had ended
    packet.loaded   ok error                RtpPacket was imported and made; or the error's text
    packet.encode   case inputs packet clock error line lineno
                                            inputs: version padding extension cc seqnum marker pt
                                            ssrc payload; packet: what getPacket() gave, or None;
                                            clock: Unix time; line, lineno: what raised the error
    packet.decode   case packet fields error
                                            fields: version seqNum timestamp payloadType payload
                                            as its methods gave them, or None
    packet.pair     before after error      getPacket() of one packet, before and after another was
                                            encoded

The scenarios of the core, with their steps, are in SCENARIOS.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Fields = Mapping[str, Any]
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """Something seen `time` seconds after the scenario began."""

    time: float
    kind: str
    fields: Fields = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.fields.get(name, default)


@dataclass(frozen=True)
class Recording:
    """One run of one scenario."""

    scenario: str
    edition: str
    facts: Facts = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def of(self, *kinds: str) -> tuple[Event, ...]:
        """The events of these kinds, by time."""
        return tuple(event for event in self.events if event.kind in kinds)

    def step(self, name: str) -> float | None:
        """When the step of this name began, the first time; None if it never did."""
        for event in self.of("step"):
            if event["name"] == name:
                return event.time
        return None

    def during(self, name: str) -> tuple[Event, ...]:
        """The events of a step: from its beginning to that of the next one."""
        inside, found = [], False
        for event in self.events:
            if event.kind == "step":
                if found:
                    break
                found = event["name"] == name
            if found:
                inside.append(event)
        return tuple(inside)

    def between(self, start: float, end: float) -> tuple[Event, ...]:
        """The events from `start`, to but not at `end`."""
        return tuple(event for event in self.events if start <= event.time < end)

    def received(self, connection: int | None = None) -> bytes:
        """Everything the submission sent by TCP, on one connection or on all of them."""
        return _joined(self.of("tcp.in"), connection)

    def said(self, stream: str, role: str | None = None) -> str:
        """What it wrote to "stdout" or "stderr"."""
        parts = [e["data"] for e in self.of(f"process.{stream}") if role in (None, e["role"])]
        return b"".join(parts).decode(errors="backslashreplace")

    @property
    def unable(self) -> str:
        """Why the scenario could not be run; "" if it was."""
        return str(self.facts.get("unable", ""))

    @property
    def fault(self) -> str:
        """What failed on the grader's side; "" if nothing did."""
        return "; ".join(str(event["text"]) for event in self.of("fault"))


Recordings = Mapping[str, Recording]
"""By scenario."""


def _joined(events: Iterable[Event], connection: int | None) -> bytes:
    return b"".join(e["data"] for e in events if connection in (None, e["connection"]))


@dataclass(frozen=True)
class Scenario:
    """One run of a submission; `steps` are the names in its recording, in order."""

    name: str
    role: str
    """server, client, both or packet: which of the submission's programs must be there."""
    does: str
    steps: tuple[str, ...] = ()


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("packet", "packet", "calls encode and decode in a process of its own"),
        Scenario(
            "server.session",
            "server",
            "SETUP, PLAY, PAUSE, PLAY, TEARDOWN by our lab client: rtp_port is ours. Their server"
            " plays the secret movie; steps last until enough packets came",
            ("start", "setup", "play", "pause", "resume", "teardown", "end"),
        ),
        Scenario(
            "server.second",
            "server",
            "SETUP on one connection, and on another after it: two session ids",
            ("start", "setup", "setup-again", "end"),
        ),
        Scenario(
            "client.session",
            "client",
            "Setup, Play, Pause (1.5 s), Play, Teardown by its buttons; our lab server sends the"
            " secret movie. With a click outside its state in the steps too-early",
            (
                "start",
                "too-early",  # Play and Pause clicked in INIT
                "setup",
                "ready",  # SETUP was answered; Pause is clicked in READY
                "play",
                "pause",
                "paused",  # 1.5 s after the reply to PAUSE: samples and port asked
                "resume",
                "teardown",  # until it is over, or 3 s
                "end",
            ),
        ),
        Scenario(
            "client.slow-reply",
            "client",
            "the reply to SETUP is withheld for 1.5 s, and Play clicked meanwhile",
            ("start", "setup", "play", "reply", "end"),
        ),
        Scenario(
            "client.error",
            "client",
            "SETUP is answered 404, then Play is clicked",
            ("start", "setup", "play", "end"),
        ),
        Scenario(
            "both",
            "both",
            "its client plays from its server, through our relay, which records both ways",
            ("start", "setup", "play", "teardown", "end"),
        ),
        Scenario("extend.describe", "server", "SETUP, then DESCRIBE"),
        Scenario("extend.fragment", "server", "plays a movie with frames of 90 KB"),
        Scenario("extend.loss", "client", "one frame in ten is left out; its labels are read"),
        Scenario("extend.buttons", "client", "Play clicked in INIT, then Pause and Teardown"),
        Scenario("extend.reassemble", "client", "frames of 90 KB come in pieces of 1,400 bytes"),
        Scenario("extend.cache", "client", "frames come with jitter"),
        Scenario("robust.split", "server", "a request in two segments, 0.2 s apart"),
        Scenario("robust.missing", "server", "SETUP of a file that is not there"),
        Scenario("robust.path", "server", "SETUP of ../NAME, a movie beside the server's folder"),
        Scenario("robust.early", "server", "TEARDOWN after SETUP, before PLAY"),
        Scenario("robust.hangup", "server", "the client hangs up while it plays"),
        Scenario("robust.idle", "server", "a connection that says nothing beside one that plays"),
        Scenario("robust.two-clients", "server", "two clients at once, each with its own port"),
        Scenario("robust.twice", "server", "PLAY while it plays: packets must not come twice"),
        Scenario("robust.replay", "server", "SETUP after TEARDOWN, on a new connection"),
        Scenario("robust.end", "server", "a movie of 20 frames, played to its end"),
        Scenario("robust.garbage", "server", "bytes that are no request"),
        Scenario("robust.unplayed", "client", "Setup, then Teardown: nothing was played"),
        Scenario("robust.order", "client", "datagrams out of order"),
        Scenario("robust.pieces", "client", "replies in two segments"),
        Scenario("robust.vanish", "client", "the server hangs up while it plays"),
        Scenario("robust.busy-port", "client", "the RTP port is somebody else's"),
        Scenario("robust.double-click", "client", "Setup and Play clicked twice each"),
        Scenario("robust.quick-resume", "client", "PAUSE and PLAY within 0.2 s"),
        Scenario("robust.window", "client", "the window is closed while it plays"),
    )
}
"""By name. What robust.responsive, robust.file and client.teardown judge is in client.slow-reply
and client.session."""


# --- On disk --------------------------------------------------------------------------------------


def to_lines(recording: Recording) -> Iterator[str]:
    """The lines of a recording's file, without their ends."""
    header = {
        "scenario": recording.scenario,
        "edition": recording.edition,
        "facts": _plain(recording.facts),
    }
    yield json.dumps(header)
    for event in recording.events:
        own = {"t": round(event.time, 6), "kind": event.kind}
        yield json.dumps({**own, **_plain(event.fields), **own})


def from_lines(lines: Iterable[str]) -> Recording:
    """Read what `to_lines` wrote. Raises ValueError if it is something else."""
    try:
        header, *rest = [json.loads(line) for line in lines if line.strip()]
        events = []
        for entry in rest:
            time, kind = float(entry.pop("t")), str(entry.pop("kind"))
            events.append(Event(time, kind, _bytes_again(entry)))
        facts = _bytes_again(header["facts"])
        return Recording(header["scenario"], header["edition"], facts, tuple(events))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a recording of the grader: {error!r}") from None


def write(recording: Recording, path: Path) -> None:
    """Raises OSError."""
    path.write_text("".join(f"{line}\n" for line in to_lines(recording)), encoding="ascii")


def read(path: Path) -> Recording:
    """Raises OSError, and ValueError if the file is no recording."""
    with path.open(encoding="ascii") as file:
        return from_lines(file)


def _plain(value: Any) -> Any:
    """A value of JSON."""
    if isinstance(value, (bytes, bytearray)):
        return {"hex": bytes(value).hex()}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _bytes_again(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: _bytes_again(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bytes_again(item) for item in value]
    return value
