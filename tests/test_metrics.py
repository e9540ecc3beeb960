"""Figures of the server: what is counted, the status line, and Prometheus."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.request
from contextlib import closing
from types import SimpleNamespace

import pytest
from processes import HOST, ServerProcess, _content
from standard_clients import StandardClient
from systems import needs_workers
from wording import lacks

from rtplab.protocol.rtp.rtcp import (
    ReceiverReport,
    ReportBlock,
    build_compound,
    middle_32,
    parse_compound,
)
from rtplab.serving.process import options
from rtplab.serving.process.status import StatusReporter, status_line
from rtplab.serving.rtp.pacer import LATENESS_KEPT, ROUNDING, Pacer
from rtplab.serving.rtp.sinks import Counts
from rtplab.serving.scaling import metrics as metrics_module
from rtplab.serving.scaling.exposition import MetricsServer, open_metrics_listeners
from rtplab.serving.scaling.metrics import Metrics, Snapshot, resident_bytes
from Server import Server

LIMIT = 15.0  # seconds that anything may take


def wait_for(find, what):
    deadline = time.monotonic() + LIMIT
    while not (found := find()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)
    return found


# --- What is counted -----------------------------------------------------------------------------


def stream(frames, packets, payload):
    return SimpleNamespace(sent=Counts(frames, packets, payload))


def session(fraction_lost=None, jitter=0, of=None, round_trip=None):
    report = None
    if fraction_lost is not None:
        report = ReportBlock(1, fraction_lost, 0, 0, jitter, 0, 0)
    delivery = SimpleNamespace(
        last_report=report, round_trip=round_trip, stream=of or stream(0, 0, 0)
    )
    return SimpleNamespace(delivery=delivery)


@pytest.fixture
def metrics():
    return Metrics(Pacer())


def test_at_first_there_is_nothing(metrics):
    now = metrics.snapshot()
    assert (now.sessions, now.frames, now.packets, now.payload, now.reporting) == (0, 0, 0, 0, 0)
    assert (now.loss, now.jitter, now.lateness) == (0.0, 0.0, 0.0)


def test_the_counts_of_streams_that_have_ended_are_kept(metrics):
    ended, playing = session(of=stream(1, 10, 100)), session(of=stream(2, 20, 200))
    metrics.session_began(ended)
    metrics.session_began(playing)
    metrics.session_ended(ended)
    metrics.session_ended(ended)
    playing.delivery.stream.sent = Counts(3, 20, 200)
    now = metrics.snapshot()
    assert (now.frames, now.packets, now.payload) == (4, 30, 300)


def test_viewers_of_one_multicast_stream_are_many_sessions_and_one_stream(metrics):
    shared = stream(5, 5, 5)
    viewers = [session(of=shared), session(of=shared)]
    for viewer in viewers:
        metrics.session_began(viewer)
    metrics.session_ended(viewers[0])
    now = metrics.snapshot()
    assert (now.sessions, now.frames) == (1, 5)
    metrics.session_ended(viewers[1])
    now = metrics.snapshot()
    assert (now.sessions, now.frames) == (0, 5)


def test_loss_and_jitter_are_those_of_the_viewers_that_report(metrics):
    viewers = [session(), session(0, 900), session(64, 2700)]
    for viewer in viewers:
        metrics.session_began(viewer)
    now = metrics.snapshot()
    assert (now.sessions, now.reporting) == (3, 2)
    assert (now.loss, now.worst_loss) == (0.125, 0.25)
    assert (now.jitter, now.worst_jitter) == (pytest.approx(0.02), pytest.approx(0.03))


def test_the_round_trip_is_median_and_worst_of_the_viewers_who_tell_it(metrics):
    for round_trip in (None, 0.01, 0.25, 0.02):
        metrics.session_began(session(round_trip=round_trip))
    now = metrics.snapshot()
    assert (now.timed, now.round_trip, now.worst_round_trip) == (3, 0.02, 0.25)
    assert "round trip" not in status_line(now, now)  # nobody reports loss
    metrics.session_began(session(0, 0, round_trip=0.3))
    now = metrics.snapshot()
    assert not lacks(status_line(now, now), "1 reports", "round trip 135.0 ms", "300.0")


def test_the_lateness_is_that_of_the_last_frames():
    pacer = Pacer()
    assert pacer.lateness(0.99) == 0.0
    pacer._latenesses.extend([9.0] * 10)
    pacer._latenesses.extend(number / 1000 for number in range(LATENESS_KEPT))
    assert pacer.lateness(0.5) == pytest.approx(LATENESS_KEPT / 2 / 1000)
    assert pacer.lateness(0.99) == pytest.approx(LATENESS_KEPT * 0.99 / 1000)
    assert pacer.lateness(1.0) == pytest.approx((LATENESS_KEPT - 1) / 1000)


def test_a_frame_that_goes_with_earlier_ones_is_not_late():
    pacer = Pacer()
    pacer._latenesses.extend([-0.004] * 5)
    assert pacer.lateness(0.99) == 0.0


def test_the_pacer_notes_how_late_it_is():
    pacer = Pacer()
    called = threading.Event()
    pacer.add(called.set, time.monotonic() - 5.0)
    assert called.wait(LIMIT)
    pacer.close()
    assert 5.0 - ROUNDING <= pacer.lateness(1.0) < 5.0 + LIMIT


def test_memory_is_known_here():
    pytest.importorskip("resource")
    assert 5e6 < resident_bytes() < 5e9


def test_memory_without_proc_is_the_peak(monkeypatch):
    pytest.importorskip("resource")
    monkeypatch.setattr(metrics_module, "_STATM", "/nowhere/statm")
    assert 5e6 < resident_bytes() < 5e9
    monkeypatch.setattr(metrics_module, "resource", None)
    assert resident_bytes() == 0


# --- The status line -----------------------------------------------------------------------------


def test_the_line_says_what_has_been_done_since_the_one_before():
    before = Snapshot(100.0, 1, frames=1000, packets=8000, payload=8_000_000)
    now = Snapshot(
        110.0, 3, 1600, 12_800, 12_000_000, 2, 0.01, 0.25, 0.0021, 0.03, 0.0052, 41_000_000
    )
    assert not lacks(
        status_line(before, now),
        *("3 sessions", "60.0 frames/s", "3.20 Mbit/s", "loss 1.0%", "25.0%"),
        *("jitter 2.1 ms", "30.0", "2 reports", "5.2 ms late", "41 MB"),
    )


def test_nobody_reports_and_memory_is_not_known():
    line = status_line(Snapshot(1.0), Snapshot(1.0))
    assert not lacks(line, "0 sessions", "0.0 frames/s", "0.00 Mbit/s", "no reports", "0.0 ms late")
    assert "jitter" not in line and " MB" not in line


def test_a_line_is_printed_when_it_is_asked_for(metrics, capsys):
    reporter = StatusReporter(metrics, None, "status")
    reporter.print_if_due()
    assert reporter.seconds_left() is None and capsys.readouterr().out == ""
    reporter.ask()
    reporter.print_if_due()
    reporter.print_if_due()
    assert re.fullmatch("status: 0 sessions, .*\n", capsys.readouterr().out)


def test_a_line_is_printed_when_its_time_has_come(metrics, capsys):
    StatusReporter(metrics, 1000.0, "status").print_if_due()
    assert capsys.readouterr().out == ""
    reporter = StatusReporter(metrics, 0.0, "worker 2")
    assert reporter.seconds_left() == 0.0
    reporter.print_if_due()
    assert capsys.readouterr().out.startswith("worker 2: 0 sessions, ")


def report(ssrc, fraction_lost):
    block = ReportBlock(ssrc, fraction_lost, 7, 1, 1800, 0, 0)
    data = build_compound(ReceiverReport(1, (block,)), "viewer")
    return b"$\x01" + len(data).to_bytes(2, "big") + data


def test_the_server_says_how_its_viewers_fare(small_movie):
    with ServerProcess(small_movie.parent, "--loop", "--status", "0.2") as server:
        with StandardClient(server.port) as viewer:
            viewer.watch()
            source = viewer.next_packet().ssrc
            viewer.control.sendall(report(source, 128) + report(source ^ 1, 255))
            pattern = (
                r"^status: 1 sessions, [1-9][\d.]* frames/s, [\d.]+ Mbit/s, loss 50.0% "
                r"\(worst 50.0%\), jitter 20.0 ms \(worst 20.0\) by 1 reports, pacer p99"
            )
            wait_for(
                lambda: re.search(pattern, _content(server._stdout), re.MULTILINE),
                lambda: _content(server._stdout),
            )
        wait_for(
            lambda: "status: 0 sessions" in _content(server._stdout).splitlines()[-1],
            lambda: _content(server._stdout),
        )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_round_trip_is_that_of_a_viewer_who_answers_later_than_he_says(small_movie, transport):
    command = ("--loop", "--status", "0.2")
    with ServerProcess(small_movie.parent, *command) as server:
        with StandardClient(server.port) as viewer:
            viewer.watch(transport)
            assert viewer.wait(lambda: viewer.rtcp_packets and viewer.rtp_packets)
            arrived = time.monotonic()
            ours = parse_compound(viewer.rtcp_packets[0])[0]
            time.sleep(0.5)
            delay = time.monotonic() - arrived - 0.3
            block = (ours.ssrc, 0, 0, 1, 0, middle_32(ours.ntp), round(delay * 65536))
            viewer.send_rtcp(build_compound(ReceiverReport(1, (ReportBlock(*block),)), "viewer"))
            told = wait_for(
                lambda: re.search(r"round trip ([\d.]+) ms", _content(server._stdout)),
                lambda: _content(server._stdout),
            )
    assert 300 <= float(told[1]) < 400


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="SIGUSR1")
@pytest.mark.parametrize("workers", [1, 2])
def test_sigusr1_asks_every_process_for_a_line(small_movie, workers):
    labels = ["status"] if workers == 1 else ["worker 1", "worker 2"]

    def all_said():
        os.kill(server.pid, signal.SIGUSR1)  # again and again: a worker may not yet be up
        said = _content(server._stdout)
        return all(f"\n{label}: 0 sessions" in said for label in labels)

    with ServerProcess(small_movie.parent, "--workers", str(workers)) as server:
        wait_until_it_obeys(server)
        wait_for(all_said, lambda: _content(server._stdout))


def wait_until_it_obeys(server):
    """Signals before the handlers are there would end it: an answer shows that they are."""
    with StandardClient(server.port) as viewer:
        assert viewer.ask("OPTIONS").status == 200


# --- Prometheus ----------------------------------------------------------------------------------


def figures(port):
    parser = pytest.importorskip("prometheus_client.parser")
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=LIMIT) as answer:
        text = answer.read().decode()
    return {
        sample.name: (sample.value, sample.labels)
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(("worker", "labels"), [(0, {}), (3, {"worker": "3"})])
def test_all_figures_are_there(metrics, worker, labels):
    pytest.importorskip("prometheus_client")
    metrics.session_began(session(64, 2700, stream(5, 50, 500), 0.125))
    metrics._pacer.log_skipped(7)
    (listener,) = open_metrics_listeners((HOST, 0), 1)
    port = listener.getsockname()[1]
    with closing(MetricsServer(metrics, listener, worker)):
        found = figures(port)
        assert figures(port).keys() == found.keys()
    assert all(sample[1] == labels for sample in found.values())
    values = {name: sample[0] for name, sample in found.items()}
    assert values.pop("rtplab_resident_memory_bytes") > 5e6
    assert values == {
        "rtplab_frames_total": 5,
        "rtplab_packets_total": 50,
        "rtplab_payload_bytes_total": 500,
        "rtplab_skipped_frames_total": 7,
        "rtplab_sessions": 1,
        "rtplab_reporting_sessions": 1,
        "rtplab_loss_ratio": 0.25,
        "rtplab_worst_loss_ratio": 0.25,
        "rtplab_jitter_seconds": 0.03,
        "rtplab_worst_jitter_seconds": 0.03,
        "rtplab_timed_sessions": 1,
        "rtplab_round_trip_seconds": 0.125,
        "rtplab_worst_round_trip_seconds": 0.125,
        "rtplab_pacer_lateness_seconds": 0.0,
    }


def test_a_client_that_hangs_up_or_talks_nonsense_is_survived(metrics):
    pytest.importorskip("prometheus_client")
    (listener,) = open_metrics_listeners((HOST, 0), 1)
    port = listener.getsockname()[1]
    with closing(MetricsServer(metrics, listener, 0)):
        socket.create_connection((HOST, port)).close()
        with socket.create_connection((HOST, port), LIMIT) as nonsense:
            nonsense.sendall(b"\0\n\n")
            while nonsense.recv(4096):
                pass
        assert figures(port)["rtplab_sessions"][0] == 0


@pytest.mark.parametrize("workers", [1, 2])
@needs_workers
def test_each_process_serves_its_own_figures(small_movie, workers):
    pytest.importorskip("prometheus_client")
    arguments = ("--metrics", "0", "--workers", str(workers))
    with ServerProcess(small_movie.parent, *arguments) as server:
        lines = re.findall(
            r"^Metrics on http://127\.0\.0\.1:(\d+)/metrics$",
            _content(server._stdout),
            re.MULTILINE,
        )
        assert len(lines) == workers
        with StandardClient(server.port) as viewer:
            viewer.watch()
            viewer.next_packet()
            found = [figures(port) for port in lines]
    assert sum(one["rtplab_sessions"][0] for one in found) == 1
    assert sum(one["rtplab_frames_total"][0] for one in found) >= 1
    labels = [one["rtplab_sessions"][1] for one in found]
    assert labels == ([{}] if workers == 1 else [{"worker": "1"}, {"worker": "2"}])


def test_without_the_library_one_sentence_says_what_to_do(monkeypatch, capsys, small_movie):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    arguments = ["0", "--host", HOST, "--media", str(small_movie.parent), "--metrics", "0"]
    assert Server().main(arguments) == 1
    stdout, stderr = capsys.readouterr()
    assert (stdout, len(stderr.splitlines())) == ("", 1)
    assert not lacks(stderr, "--metrics", "pip install prometheus-client")


def test_a_port_for_metrics_that_is_taken_is_a_sentence(capsys, small_movie):
    pytest.importorskip("prometheus_client")
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["0", "--host", HOST, "--media", str(small_movie.parent)]
        assert Server().main([*arguments, "--metrics", str(port)]) == 1
    assert not lacks(capsys.readouterr().err, "metrics", HOST, str(port))


# --- Options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9100", (HOST, 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),
        ("[::1]:9100", ("::1", 9100)),
        (":9100", (HOST, 9100)),
    ],
)
def test_metrics_are_for_the_loopback_unless_a_host_is_given(text, address):
    assert options.parse_arguments(["--metrics", text]).metrics == address


@pytest.mark.parametrize(
    "argument", ["--status=0", "--status=x", "--status=nan", "--metrics=x", "--metrics=1:70000"]
)
def test_bad_options(argument, capsys):
    with pytest.raises(SystemExit) as exit:
        options.parse_arguments([argument])
    assert exit.value.code == 2
