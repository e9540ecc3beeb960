"""What the documents say is true: options, fields, names, bytes, numbers; links lead somewhere."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
from movies import ROOT
from processes import HOST, run_client
from raw_rtsp import running_server
from standard_clients import StandardClient
from systems import needs_workers

import ClientLauncher
from Client import Client
from rtplab.grading.bundle import PLATFORMS
from rtplab.grading.model.editions import EDITIONS
from rtplab.grading.options import parser as grading_options
from rtplab.grading.report import WRITERS
from rtplab.playoptions import parse_arguments as parse_arguments_of_the_player
from rtplab.protocol.rtp import rtpjpeg
from rtplab.protocol.rtp.jpeg import parse
from rtplab.protocol.rtsp.messages import REASONS
from rtplab.receiving.rtp.impairment import Impairment, parse_conditions
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.listing import describe_movies
from rtplab.serving.process.options import parse_arguments
from RtpPacket import RtpPacket
from ServerWorker import ServerWorker
from VideoStream import VideoStream

DOCUMENTS = ("README.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
README, REFERENCE, PROTOCOL, CLASSROOM, SERVING = (
    TEXTS[name]
    for name in (
        "README.md",
        "docs/REFERENCE.md",
        "docs/PROTOCOL.md",
        "docs/CLASSROOM.md",
        "docs/SERVING.md",
    )
)
NO_FFMPEG = "not installed: ffmpeg"

COMMAND = re.compile(r"^ {4,7}(python|rtplab|make|py|ffmpeg) ([^#&\n]*)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
IDENTIFIER = re.compile(r"`([A-Za-z_]\w*)`")
NUMBERED = re.compile(r"((?:`\w+` )+)= (\d+(?: \d+)*)")
CHANGING = re.compile(r"(Session: |server_port=|ssrc=|seq=|rtptime=)[0-9A-F-]+")


def section(text, title):
    """What stands below a heading of a document, up to the next heading of its level or above."""
    marks, rest = re.search(rf"^(#+) {re.escape(title)}\n(.*)", text, re.M | re.S).groups()
    return re.split(rf"^#{{1,{len(marks)}}} ", rest, maxsplit=1, flags=re.M)[0]


def table(text):
    """The rows of the first table in a text, each a list of cells, without its head."""
    return tables(text)[0]


def tables(text):
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [
        [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
            for line in rows.splitlines()[2:]
        ]
        for rows in found
    ]


def marked(text, name):
    """What follows a comment."""
    return text.split(f"<!-- {name} -->", 1)[1]


def program(text, name):
    return re.match(r"\n```python\n(.*?)```", marked(text, f"program: {name}"), re.DOTALL)[1]


def commands(*programs):
    """The arguments of every command line of these programs, in any document."""
    return [
        shlex.split(arguments)
        for text in TEXTS.values()
        for name, arguments in COMMAND.findall(text)
        if name in programs
    ]


def python_commands(*start):
    return [words[len(start) :] for words in commands("python") if words[: len(start)] == [*start]]


def verb_commands(verb):
    """What a verb of `rtplab` is given, however it is called."""
    called = [words[1:] for words in commands("rtplab") if words[:1] == [verb]]
    return called + python_commands("-m", "rtplab", verb)


# ---------------------------------------------------------------------- command lines


def options_of(*command):
    """What `--help` names: options and arguments."""
    help_text = subprocess.run(
        [sys.executable, *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
    ).stdout
    names = set(re.findall(r"^  (?:-h, )?(--?[a-z-]+|[A-Za-z]\w+)", help_text, re.MULTILINE))
    return names - {"FILE", "FILE."}


@pytest.mark.parametrize(
    ("command", "title", "count"),
    [
        (["Server.py"], "Server", 2),  # then comes the table of limits
        (["ClientLauncher.py"], "Player", 1),
        (["-m", "rtplab", "import"], "Making movies", 1),
        (["-m", "rtplab", "grade"], "`rtplab grade`", 1),
    ],
)
def test_the_tables_have_every_option_and_no_other(command, title, count):
    documented = set()
    for rows in tables(section(REFERENCE, title))[:count]:
        for row in rows:
            documented |= {word.split()[0] for word in re.findall(r"`([^`]+)`", row[0])}
    assert documented - {"--help"} == options_of(*command) - {"--help"}


def test_the_options_of_the_check_are_those_it_has():
    told = set(re.findall(r"`(--[a-z-]+)`", section(REFERENCE, "`rtplab check`")))
    assert told == {name for name in options_of("-m", "rtplab", "check") if name[:2] == "--"} - {
        "--help"
    }


@needs_workers
def test_the_commands_are_accepted():
    servers = python_commands("Server.py") + verb_commands("serve")
    players = python_commands("ClientLauncher.py") + verb_commands("play")
    servers += [
        shlex.split(line) for line in re.findall(r"^ExecStart=\S+ serve (.*)", SERVING, re.M)
    ]
    assert len(servers) >= 5 and len(players) >= 10
    for arguments in servers:
        parse_arguments(arguments)
    for arguments in players:
        parse_arguments_of_the_player(arguments, "ClientLauncher.py")


def test_the_grader_s_commands_are_accepted():
    known = grading_options("rtplab grade", tuple(EDITIONS), tuple(WRITERS), tuple(PLATFORMS))
    assert len(verb_commands("grade")) >= 8
    for arguments in verb_commands("grade"):
        known.parse_args(arguments)


def test_the_tasks_of_make_and_of_setup_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert commands("make")
    assert all(f"\n{words[0]}:" in makefile for words in commands("make"))
    setup = [sys.executable, str(ROOT / "tools/setup.py")]
    usage = subprocess.run(setup, capture_output=True, text=True).stdout
    on_windows = re.findall(r"py (?:-[\d.]+ )?tools\\setup\.py (\w+)", "".join(TEXTS.values()))
    assert {"run", "test"} <= set(on_windows) <= set(usage.split()[-1].split("|"))


# ---------------------------------------------------------------------- without a window


def test_the_json_object_has_the_fields_of_the_table():
    documented = [row[0].strip("`") for row in table(section(REFERENCE, "Without a window"))]
    arguments = next(
        words for words in python_commands("ClientLauncher.py") if words[:1] == ["--headless"]
    )
    run = run_client(*arguments)
    assert run.status == 0, run.stderr
    report = json.loads(run.stdout.splitlines()[-1])
    assert sorted(report) == sorted(documented)
    assert report["frames"] == 40 and report["error"] is None


def test_the_server_says_what_the_example_shows():
    shown = re.search(r"^    Listening on .*:\d+\n    (  movie.*)$", REFERENCE, re.MULTILINE)
    lines = describe_movies(MovieLibrary(ROOT), 20).lines
    assert shown[1] in lines


# ---------------------------------------------------------------------- making a movie


@pytest.mark.peers
def test_the_import_command_makes_a_movie_that_all_receive(tmp_path):
    if shutil.which("ffmpeg") is None:
        pytest.skip(NO_FFMPEG)
    ffmpeg = ["ffmpeg", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i"]
    source = "testsrc=size=640x360:rate=30:duration=1"
    subprocess.run([*ffmpeg, source, "film.mp4"], cwd=tmp_path, check=True)
    (arguments,) = verb_commands("import")
    subprocess.run(
        [sys.executable, "-m", "rtplab", "import", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    movie = VideoStream(tmp_path / "film.Mjpeg").movie
    assert (len(movie.frames), movie.frame_rate) == (30, 30)
    assert rtpjpeg.unsupported_reason(parse(movie.frame(1))) is None


@pytest.mark.peers
def test_the_ffmpeg_command_makes_a_movie_that_is_sent_as_it_is(tmp_path):
    if shutil.which("ffmpeg") is None:
        pytest.skip(NO_FFMPEG)
    ffmpeg = ["ffmpeg", "-loglevel", "error", "-nostdin"]
    test_picture = ["-f", "lavfi", "-i", "testsrc=size=640x360:rate=30:duration=1"]
    subprocess.run([*ffmpeg, *test_picture, "-c:v", "mpeg4", "film.mp4"], cwd=tmp_path, check=True)
    (arguments,) = commands("ffmpeg")
    subprocess.run([*ffmpeg, *arguments], cwd=tmp_path, check=True)
    movie = VideoStream(tmp_path / "film.mjpeg").movie
    assert (movie.width, movie.height) == (384, 288)
    assert 19 <= len(movie.frames) <= 22
    assert rtpjpeg.unsupported_reason(parse(movie.frame(1))) is None
    assert max(length for _, length in movie.frames) < 15_000


# ---------------------------------------------------------------------- the protocol


def bytes_of(cell, rtp_port, session):
    """The message that a cell shows, for our ports and session instead of the example's."""
    text = "".join(re.findall(r"`([^`]+)`", cell)).replace("␍", "\r").replace("␊", "\n")
    text = text.replace("6666", str(rtp_port)).replace("6667", str(rtp_port + 1))
    return text.replace("123456", session).encode()


def without_changing(message):
    return CHANGING.sub(r"\1?", message.decode())


@pytest.mark.parametrize(("column", "dialect"), [(1, "lab"), (2, "standard")])
def test_the_messages_are_those_of_the_wire(column, dialect):
    cells = [row[column] for row in table(marked(PROTOCOL, "protocol"))]
    with running_server(ROOT) as port, StandardClient(port) as client:
        rtp_port, session = client.client_ports[0], "123456"
        for request, reply in (cells[0:2], cells[2:4]):
            client.control.sendall(bytes_of(request, rtp_port, session))
            received = client.control.recv(4096)
            assert without_changing(received) == without_changing(
                bytes_of(reply, rtp_port, session)
            )
            session = re.search(rb"Session: (\d+)", received)[1].decode()
        assert client.wait(lambda: client.datagrams[0])
        packet = client.datagrams[0][0]
    shown = bytes.fromhex("".join(re.findall(r"`([^`]+)`", cells[4])).replace("...", ""))
    fixed = 8 if dialect == "lab" else 2  # then numbers that are random from the start
    assert packet[:fixed] == shown[:fixed]
    assert packet[12 : len(shown)] == shown[12:]


def test_each_status_of_the_page_is_one_that_the_server_knows():
    told = {int(row[0]) for row in table(PROTOCOL.partition("RTSP status")[2])}
    assert told >= {400, 401, 403, 404, 415, 454, 455, 457, 461, 501, 503, 551}
    assert told <= set(REASONS)


# ---------------------------------------------------------------------- the classic names


@contextmanager
def a_worker():
    ours, theirs = socket.socketpair()
    worker = ServerWorker({"rtspSocket": (ours, (HOST, 40000))})
    try:
        yield worker
    finally:
        theirs.close()
        worker.recvRtspRequest()


@contextmanager
def a_client():
    with socket.socket() as closed_port:
        closed_port.bind((HOST, 0))
        client = Client(None, HOST, closed_port.getsockname()[1], 0, "movie.Mjpeg")
        try:
            yield client
        finally:
            client.close()


def name_rows():
    return [row for row in table(marked(CLASSROOM, "names")) if row[1]]


def test_the_window_has_the_title_that_is_told():
    assert f"`{ClientLauncher.TITLE}`" in CLASSROOM


@pytest.mark.parametrize("row", name_rows(), ids=lambda row: row[0])
def test_the_classic_names_exist(row):
    module = import_module(row[0].strip("`").removesuffix(".py"))
    name, _, parameters = row[1].strip("`)").partition("(")
    cls = getattr(module, name)
    taken = [p.strip() for p in parameters.split(",") if p.strip()]
    assert list(inspect.signature(cls).parameters)[: len(taken)] == taken
    names = IDENTIFIER.findall(row[2])
    makers = {"Client": a_client, "ServerWorker": a_worker}
    if name in makers:
        with makers[name]() as instance:
            missing = [n for n in names if not hasattr(instance, n)]
    else:
        missing = [n for n in names if not hasattr(cls, n) and not hasattr(module, n)]
    assert names and not missing
    for group, values in NUMBERED.findall(row[2]):
        found = [getattr(cls, n, getattr(module, n, None)) for n in IDENTIFIER.findall(group)]
        assert found == [int(value) for value in values.split()]


def test_encode_takes_what_is_said():
    said = re.search(r"`encode\(([^)]*)\)`", CLASSROOM.replace("\n", " "))[1].split(", ")
    parameters = list(inspect.signature(RtpPacket().encode).parameters)
    assert parameters == [*said, "timestamp"]


# ---------------------------------------------------------------------- the classroom


@pytest.mark.long
@pytest.mark.parametrize(("folder", "points"), [("tests/grading/textbook", 100), ("docs", 0)])
def test_the_grading_script_gives_points_for_what_is_right(folder, points):
    grading = subprocess.run(
        [sys.executable, "-c", program(CLASSROOM, "grade_lab"), folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )
    said = grading.stdout + grading.stderr
    assert grading.stdout.splitlines()[-1] == f"{points} of 100 points", said


@pytest.mark.parametrize(
    ("title", "statuses"),
    [("1. Speak RTSP by hand", [200, 200, 200]), ("2. The state machine", [200, 455, 501, 454])],
)
def test_what_is_typed_by_hand_is_answered_as_told(title, statuses):
    lines = re.findall(r"^ {4}(.*)$|^()$", section(CLASSROOM, title), re.MULTILINE)
    typed = "\n".join(line for line, _ in lines)
    requests = re.findall(r"^[A-Z]+ \S+ RTSP/1.0\n(?:.+\n)+", typed, re.MULTILINE)
    with running_server(ROOT) as port, StandardClient(port) as client:
        answers = b""
        for count, request in enumerate(requests, 1):
            client.control.sendall(f"{request}\n".replace("\n", "\r\n").encode())
            while len(re.findall(rb"^RTSP/1.0 ", answers, re.MULTILINE)) < count:
                answers += client.control.recv(4096)
    assert [int(n) for n in re.findall(rb"^RTSP/1.0 (\d+)", answers, re.MULTILINE)] == statuses


@pytest.mark.peers
@pytest.mark.timed  # a busy machine receives another frame before it tears down
def test_the_session_in_wireshark_has_the_numbers_that_are_told(tmp_path):
    if shutil.which("tshark") is None:
        pytest.skip("no tshark")
    lines = re.findall(
        r"^ {4}(python|tshark) (.*)$", section(CLASSROOM, "3. A session in Wireshark"), re.M
    )
    shown = []
    with running_server(ROOT) as port:
        for name, arguments in lines:
            words = shlex.split(arguments.replace("5678", str(port)))
            if name == "python":
                words[0] = str(ROOT / words[0])
            command = [sys.executable if name == "python" else name, *words]
            run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
            assert run.returncode == 0, run.stderr
            shown.append(run.stdout)
    assert re.search(r"JPEG +\d+ +0 \(0.0%\)", shown[1])
    flags = {"True": 1, "False": 0}  # as some versions print the marker
    packets = [[int(flags.get(n, n)) for n in line.split()] for line in shown[2].splitlines()]
    ten = list(dict.fromkeys(row[1] for row in packets))[:10]
    packets = [row for row in packets if row[1] in ten]  # an eleventh frame may be on its way
    sizes, timestamps = [row[3] for row in packets], [row[1] for row in packets]
    assert len(packets) == 70 and sizes[:6] == [1460] * 6 and sizes[6] < 1460
    assert [row[2] for row in packets[:7]] == [0] * 6 + [1]
    assert len({*timestamps[:7]}) == 1 and (timestamps[7] - timestamps[0]) % 2**32 == 4500


@pytest.mark.parametrize("row", table(marked(CLASSROOM, "loss")), ids=lambda row: row[0])
def test_the_frames_that_are_lost_with_a_packet_are_as_many_as_told(row):
    movie = VideoStream(ROOT / "movie.Mjpeg").movie
    conditions = parse_conditions(f"loss={row[0]},seed=1")
    network, whole, packets = Impairment(conditions), 0, 0
    for number in range(1, len(movie.frames) + 1):
        count = len(rtpjpeg.packetize(movie.frame(number), 1440))
        before = network.lost
        for _ in range(count):
            network.add(b"", 0.0)
        packets += count
        whole += network.lost == before
    mean = packets / len(movie.frames)
    assert (network.lost, whole) == (int(row[1]), int(row[2]))
    assert round(len(movie.frames) * (1 - conditions.loss) ** mean) == int(row[3])


# ---------------------------------------------------------------------- links


def anchors_of(document):
    headings = HEADING.findall(TEXTS[document])
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    folder = (ROOT / document).parent
    for link in LINK.findall(TEXTS[document]):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (folder / target).resolve() if target else ROOT / document
        assert path.exists(), link
        if anchor:
            assert anchor in anchors_of(path.relative_to(ROOT).as_posix()), link


def test_every_picture_is_shown_somewhere():
    shown = {Path(link).name for text in TEXTS.values() for link in LINK.findall(text)}
    assert {path.name for path in (ROOT / "docs" / "pictures").iterdir()} <= shown
