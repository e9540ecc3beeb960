"""All checks in the order of the report: what each asks, needs, and is worth."""

from __future__ import annotations

from rtplab.grading.judge import client, extend, packet, robust, server, together
from rtplab.grading.judge.explanations import EXPLANATIONS
from rtplab.grading.judge.seen import reaching
from rtplab.grading.model.checks import Check, Judge

PACKET = (packet.SCENARIO,)
SERVER = (server.SESSION,)
CLIENT = (client.SESSION,)

RTP = "The section on RTP packets in the assignment, and RFC 3550 section 5.1."
CALLED = "encode is called in a process of its own, with other values than the usual ones, too."
PLAYED = "A client like the lab's plays a movie that nobody knows, pauses, goes on and tears down."
WATCHED = "The buttons are pressed by their texts, while a server like the lab's answers."
GATE = 0.0
ADVICE = 0.0


def _packet(name: str, title: str, points: float, judge: Judge, explain: str = RTP) -> Check:
    needs: tuple[str, ...] = () if name == "loads" else ("packet.loads",)
    if name not in ("loads", "filled", "decode"):
        needs += ("packet.filled",)
    return Check(
        f"packet.{name}", title, needs, points, judge, PACKET, explain=f"{explain} {CALLED}"
    )


def _server(
    name: str,
    title: str,
    points: float,
    judge: Judge,
    needs: tuple[str, ...] = (),
    scenarios: tuple[str, ...] = SERVER,
    timing: bool = False,
) -> Check:
    needed = needs if name == "starts" else ("server.starts", *needs)
    explain = f"{EXPLANATIONS[f'server.{name}']} {PLAYED}"
    return Check(f"server.{name}", title, needed, points, judge, scenarios, timing, explain)


def _client(
    name: str,
    title: str,
    points: float,
    judge: Judge,
    needs: tuple[str, ...] = (),
    scenarios: tuple[str, ...] = CLIENT,
    timing: bool = False,
) -> Check:
    needed = needs if name == "starts" else ("client.starts", *needs)
    if name != "starts":
        judge = reaching("setup", scenarios[0], judge)
    explain = f"{EXPLANATIONS[f'client.{name}']} {WATCHED}"
    return Check(f"client.{name}", title, needed, points, judge, scenarios, timing, explain)


def _extend(
    name: str, title: str, judge: Judge, scenario: str, *needs: str, timing: bool = False
) -> Check:
    explain = "An exercise of the assignment; its points are the edition's."
    return Check(f"extend.{name}", title, needs, 0.0, judge, (scenario,), timing, explain)


def _robust(
    name: str, title: str, judge: Judge, *needs: str, scenario: str = "", timing: bool = True
) -> Check:
    """Without `timing`, a busy machine is no excuse: either something came, or no reply in 3 s."""
    check = f"robust.{name}"
    explain = "Advice without points: public programs of the lab go wrong here."
    if not scenario:
        judge = reaching("act", check, judge)
    if check in robust.GIVEN:
        explain += " So does the code that students are given."
    return Check(
        check, title, needs, ADVICE, judge, (scenario or check,), timing=timing, explain=explain
    )


CHECKS: tuple[Check, ...] = (
    _packet("loads", "RtpPacket can be loaded and made", GATE, packet.loads),
    _packet("filled", "encode fills the header of 12 bytes", GATE, packet.filled),
    _packet("version", "V is 2, in the two highest bits", 4, packet.version),
    _packet("flags", "P, X and CC are in their places", 3, packet.flags),
    _packet("type", "M and PT share byte 1", 4, packet.payload_type),
    _packet(
        "sequence", "the sequence number has two bytes, the high one first", 5, packet.sequence
    ),
    _packet("timestamp", "the timestamp is the time", 3, packet.timestamp),
    _packet("ssrc", "the SSRC has four bytes", 3, packet.ssrc),
    _packet("payload", "the payload is the frame, byte for byte", 4, packet.payload),
    _packet("instances", "two packets share nothing", 2, packet.instances),
    _packet("decode", "decode gives back what is in a packet", 2, packet.decode),
    _server("starts", "the server listens on the port that it is given", GATE, server.starts),
    _server("reply", "each request is answered in three lines", 3, server.reply),
    _server(
        "session",
        "each session has one number of its own",
        1,
        server.session,
        scenarios=(server.SESSION, server.SECOND),
    ),
    _server("header", "the header on the wire is right", 3, server.header, ("packet.filled",)),
    _server(
        "frames",
        "the frames are those of the requested movie",
        4,
        server.frames,
        ("packet.loads", "packet.payload"),
    ),
    _server(
        "numbers",
        "the frames are numbered 1, 2, 3 and so on",
        2,
        server.numbers,
        ("server.frames", "packet.filled", "packet.sequence"),
    ),
    _server(
        "pace", "a frame is sent at each interval", 2, server.pace, ("server.frames",), timing=True
    ),
    _server(
        "pause",
        "PAUSE stops the movie, and PLAY goes on",
        3,
        server.pause,
        ("server.frames",),
        timing=True,
    ),
    _server(
        "teardown", "TEARDOWN is answered and ends the sending", 2, server.teardown, timing=True
    ),
    _client("starts", "the client connects and opens its window", GATE, client.starts),
    _client("header", "requests have the lines of the assignment", 3, client.header),
    _client("transport", "SETUP names the RTP port, in the handout's form", 4, client.transport),
    _client("cseq", "CSeq counts 1, 2, 3 and so on", 5, client.cseq),
    _client("session", "later requests carry the session of the reply", 5, client.session),
    _client("port", "the RTP port is bound when the first frame comes", 4, client.port),
    _client(
        "timeout",
        "the listener ends in time after PAUSE",
        2,
        client.timeout,
        ("client.port",),
        timing=True,
    ),
    _client(
        "shows",
        "the frames are on the screen, in order",
        8,
        client.shows,
        ("client.port",),
        timing=True,
    ),
    _client(
        "pause",
        "PAUSE is sent, and the picture stands",
        4,
        client.pause,
        ("client.shows",),
        timing=True,
    ),
    _client(
        "resume",
        "the movie goes on after PAUSE, with one listener",
        2,
        client.resume,
        ("client.timeout", "client.pause"),
        timing=True,
    ),
    _client(
        "states",
        "nothing is sent in the wrong state",
        3,
        client.states,
        scenarios=(client.SESSION, client.SLOW),
    ),
    _client(
        "error",
        "a reply of 404 changes no state",
        1,
        client.error,
        ("client.states",),
        scenarios=(client.ERROR,),
    ),
    _client(
        "teardown",
        "TEARDOWN ends connection, port, window and process",
        4,
        client.teardown,
        timing=True,
    ),
    Check(
        "both.movie",
        "its client plays from its server",
        ("server.frames", "client.shows"),
        5,
        together.movie,
        (together.SCENARIO,),
        timing=True,
        explain=EXPLANATIONS["both.movie"],
    ),
    _extend(
        "statistics",
        "loss rate and data rate are shown",
        extend.statistics,
        extend.LOSS,
        "client.shows",
        timing=True,
    ),
    _extend("buttons", "Play sets up by itself", extend.buttons, extend.BUTTONS, "client.starts"),
    _extend(
        "describe",
        "DESCRIBE is answered with a description",
        extend.describe,
        extend.DESCRIBE,
        "server.starts",
    ),
    _extend(
        "late", "old frames are not shown", extend.late, extend.ORDER, "client.shows", timing=True
    ),
    _extend(
        "fragment",
        "frames are sent in pieces below the MTU",
        extend.fragment,
        extend.FRAGMENT,
        "server.starts",
    ),
    _extend(
        "reassemble",
        "frames in pieces are shown",
        extend.reassemble,
        extend.REASSEMBLE,
        "client.starts",
        timing=True,
    ),
    _extend(
        "cache",
        "frames are kept before they are shown",
        extend.cache,
        extend.CACHE,
        "client.shows",
        timing=True,
    ),
    _robust(
        "split",
        "a request in two segments is answered",
        robust.split,
        "server.starts",
        timing=False,
    ),
    _robust(
        "missing",
        "a missing file is answered with 404",
        robust.missing,
        "server.starts",
        timing=False,
    ),
    _robust(
        "path", "no file outside the folder is played", robust.path, "server.starts", timing=False
    ),
    _robust(
        "early", "TEARDOWN before PLAY is answered", robust.early, "server.starts", timing=False
    ),
    _robust("hangup", "the server stops when its client hangs up", robust.hangup, "server.frames"),
    _robust(
        "idle", "a silent client keeps nobody waiting", robust.idle, "server.frames", timing=False
    ),
    _robust(
        "two-clients",
        "two clients are served at once",
        robust.two_clients,
        "server.frames",
        timing=False,
    ),
    _robust("twice", "a second PLAY doubles nothing", robust.twice, "server.frames"),
    _robust(
        "replay",
        "the server serves another client afterwards",
        robust.replay,
        "server.frames",
        timing=False,
    ),
    _robust("end", "the end of the movie is no trouble", robust.end, "server.frames"),
    _robust(
        "garbage",
        "bytes that are not a request do no harm",
        robust.garbage,
        "server.starts",
        timing=False,
    ),
    _robust(
        "unplayed",
        "a client that never played ends well",
        robust.unplayed,
        "client.starts",
        "client.teardown",
    ),
    _robust("order", "the movie goes on with datagrams out of order", robust.order, "extend.late"),
    _robust(
        "pieces",
        "a reply in two segments is understood",
        robust.pieces,
        "client.states",
        timing=False,
    ),
    _robust(
        "vanish", "the client waits quietly when its server is gone", robust.vanish, "client.shows"
    ),
    _robust(
        "busy-port",
        "the user learns that a port is in use",
        robust.busy_port,
        "client.starts",
        timing=False,
    ),
    _robust(
        "responsive",
        "the window reacts while a reply is late",
        client.responsive,
        "client.starts",
        scenario=client.SLOW,
    ),
    _robust(
        "double-click",
        "two clicks send one request",
        robust.double_click,
        "client.starts",
        timing=False,
    ),
    _robust(
        "quick-resume",
        "PLAY right after PAUSE leaves one listener",
        robust.quick_resume,
        "client.resume",
    ),
    _robust("window", "closing the window ends the session", robust.window, "client.teardown"),
    _robust(
        "file",
        "no file is left behind",
        robust.file,
        "client.shows",
        "client.teardown",
        scenario=client.SESSION,
        timing=False,
    ),
)

BY_ID = {check.id: check for check in CHECKS}
