"""What README.md says is true: options, fields, names, bytes; and links lead somewhere."""

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

import pytest
from movies import ROOT
from processes import HOST, run_client
from raw_rtsp import running_server
from standard_clients import StandardClient

import ClientLauncher
from Client import Client
from rtplab.launcher import parse_arguments as parse_arguments_of_the_player
from rtplab.protocol.rtp import rtpjpeg
from rtplab.protocol.rtp.jpeg import parse
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.media.listing import describe_movies
from rtplab.serving.process.options import parse_arguments
from RtpPacket import RtpPacket
from ServerWorker import ServerWorker
from VideoStream import VideoStream

README = (ROOT / "README.md").read_text(encoding="utf-8")
NO_FFMPEG = "not installed: ffmpeg"
DOCUMENTS = [
    "README.md",
    "CHANGELOG.md",
    *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")),
]

COMMAND = re.compile(r"^    (python|make|py|ffmpeg) ([^#\n]*)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
IDENTIFIER = re.compile(r"`([A-Za-z_]\w*)`")
NUMBERED = re.compile(r"((?:`\w+` )+)= (\d+(?: \d+)*)")
CHANGING = re.compile(r"(Session: |server_port=|ssrc=|seq=|rtptime=)[0-9A-F-]+")


def section(title):
    """The text below a heading, up to the next heading of whatever level."""
    return re.split(r"^#+ ", README.split(f" {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def table(text):
    """The rows of the first table in a text, each a list of cells, without its head."""
    lines = text[text.index("\n|") + 1 :].splitlines()
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", line.strip("|"))
        rows.append([cell.strip() for cell in cells])
    return rows[2:]


def marked(name):
    """The text from a comment on."""
    return README.split(f"<!-- {name} -->", 1)[1]


def commands(program):
    """The arguments of every command line of a program."""
    return [arguments.strip() for name, arguments in COMMAND.findall(README) if name == program]


def python_commands(script):
    return [
        shlex.split(arguments)[1:]
        for arguments in commands("python")
        if arguments.startswith(script)
    ]


# ---------------------------------------------------------------------- command lines


def options_of(script):
    """What `--help` names: options and arguments."""
    help_text = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200"},
    ).stdout
    return set(re.findall(r"^  (?:-h, )?(--[a-z-]+|[A-Za-z]\w+)", help_text, re.MULTILINE))


@pytest.mark.parametrize(
    ("script", "titles"),
    [
        ("Server.py", ("Server", "Serving many, or strangers")),
        ("ClientLauncher.py", ("Player",)),
    ],
)
def test_every_option_is_in_the_tables_and_no_other(script, titles):
    documented = []
    for title in titles:
        for row in table(section(title)):
            documented += [word.split()[0] for word in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(documented) == sorted(options_of(script))


def test_the_commands_are_accepted():
    servers, players = python_commands("Server.py"), python_commands("ClientLauncher.py")
    assert len(servers) >= 1 and len(players) >= 4
    for arguments in servers:
        parse_arguments(arguments)
    for arguments in players:
        parse_arguments_of_the_player(arguments, "ClientLauncher.py")


def test_the_tasks_of_make_and_of_setup_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [f"\n{target}:" in makefile for target in commands("make")] == [True, True]
    setup = [sys.executable, str(ROOT / "tools/setup.py")]
    usage = subprocess.run(setup, capture_output=True, text=True).stdout
    tasks = usage.split()[-1].split("|")
    windows = [re.fullmatch(r"tools\\setup\.py (\w+)", task)[1] for task in commands("py")]
    assert windows == ["run", "test"]
    assert set(windows) <= set(tasks)


# ---------------------------------------------------------------------- without a window


def test_the_json_object_has_the_fields_of_the_table():
    documented = [row[0].strip("`") for row in table(section("Without a window"))]
    arguments = python_commands("ClientLauncher.py --headless")[0]
    run = run_client(*arguments)
    assert run.status == 0, run.stderr
    report = json.loads(run.stdout.splitlines()[-1])
    assert list(report) == documented
    assert report["frames"] == 40 and report["error"] is None


def test_the_server_says_what_the_example_shows():
    shown = re.search(r"^    Listening on .*:\d+\n    (  movie.*)$", README, re.MULTILINE)
    lines = describe_movies(MovieLibrary(ROOT), 20).lines
    assert shown[1] in lines


# ---------------------------------------------------------------------- making a movie


def test_the_import_options_of_the_readme_exist():
    help_text = subprocess.run(
        [sys.executable, "-m", "rtplab", "import", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout
    table = README[README.index("## Your own movie") : README.index("`python -m rtplab info")]
    named = set(
        re.findall(r"(?<![\w-])--?[a-z][a-z-]*", "".join(re.findall(r"^\|.*", table, re.M)))
    )
    said = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_text)) - {"-h", "--help"}
    assert named == said


@pytest.mark.peers
def test_the_import_command_makes_a_movie_that_all_receive(tmp_path):
    if shutil.which("ffmpeg") is None:
        pytest.fail(NO_FFMPEG) if "CI" in os.environ else pytest.skip(NO_FFMPEG)
    ffmpeg = ["ffmpeg", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i"]
    source = "testsrc=size=640x360:rate=30:duration=1"
    subprocess.run([*ffmpeg, source, "film.mp4"], cwd=tmp_path, check=True)
    (arguments,) = python_commands("-m rtplab import")
    subprocess.run(
        [sys.executable, "-m", *arguments],
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
        pytest.fail(NO_FFMPEG) if "CI" in os.environ else pytest.skip(NO_FFMPEG)
    ffmpeg = ["ffmpeg", "-loglevel", "error", "-nostdin"]
    test_picture = ["-f", "lavfi", "-i", "testsrc=size=640x360:rate=30:duration=1"]
    subprocess.run([*ffmpeg, *test_picture, "-c:v", "mpeg4", "film.mp4"], cwd=tmp_path, check=True)
    (arguments,) = commands("ffmpeg")
    subprocess.run([*ffmpeg, *shlex.split(arguments)], cwd=tmp_path, check=True)
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
    rows = table(marked("protocol"))
    assert [row[0] for row in rows] == ["SETUP", "reply", "PLAY", "reply", "first packet"]
    cells = [row[column] for row in rows]
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
    return [row for row in table(marked("names")) if row[1]]


def test_the_table_has_the_six_files():
    assert [row[0].strip("`") for row in table(marked("names"))] == [
        "Server.py",
        "ServerWorker.py",
        "Client.py",
        "RtpPacket.py",
        "VideoStream.py",
        "ClientLauncher.py",
    ]
    assert f"the window's title is `{ClientLauncher.TITLE}`" in README


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
    said = re.search(r"`encode\(([^)]*)\)`", README.replace("\n", " "))[1].split(", ")
    parameters = list(inspect.signature(RtpPacket().encode).parameters)
    assert parameters == [*said, "timestamp"]


# ---------------------------------------------------------------------- links


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in HEADING.findall(text)}
    for target in LINK.findall(text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (path.parent / target.partition("#")[0]).exists(), target
