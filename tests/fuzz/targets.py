"""What is fuzzed: each target takes any bytes, and fails only if our code does.

A target lets the documented errors of its parser pass and no others, and asserts what must be true
of every result: bounds that hold, and that what is written anew reads the same. test_corpus.py
runs all of them on the committed corpora; `make fuzz` has atheris look for bytes that fail.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import http_targets
import media_targets
import rtsp_targets

CORPORA = Path(__file__).resolve().parent / "corpus"

_ALL: tuple[Callable[[bytes], None], ...] = (
    rtsp_targets.request,
    rtsp_targets.response,
    rtsp_targets.dialogue,
    rtsp_targets.headers,
    rtsp_targets.authentication,
    rtsp_targets.description,
    rtsp_targets.announcement,
    rtsp_targets.url,
    rtsp_targets.proxy_header,
    rtsp_targets.connection,
    media_targets.reports,
    media_targets.packet,
    media_targets.fragments,
    media_targets.picture,
    media_targets.movie,
    media_targets.avi,
    media_targets.multipart,
    media_targets.stream,
    media_targets.camera,
    http_targets.browser,
)
TARGETS = {target.__name__: target for target in _ALL}
