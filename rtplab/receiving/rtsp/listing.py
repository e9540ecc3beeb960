"""Asks a server for its movies. Our servers answer; others do not know the parameter."""

from __future__ import annotations

from dataclasses import replace

from rtplab.clock import steady
from rtplab.protocol.errors import MessageError, SessionError
from rtplab.protocol.rtsp.messages import Headers, Request, Response
from rtplab.protocol.rtsp.parameters import CONTENT_TYPE, REQUEST, parse_names
from rtplab.receiving.rtsp.connection import ClientConnection
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.standarddialogue import USER_AGENT
from rtplab.receiving.rtsp.watch import TimeLimits

MAX_TRIES = 3  # the question, and up to two answers to challenges: the first may be stale


def movies_of(address: str, limits: TimeLimits | None = None) -> list[str]:
    """Return the names of all that the server of an rtsp:// address has; blocks.

    The user and the password of the address are used if the server asks for them. Raises
    SessionError with a sentence for the user.
    """
    limits = limits or TimeLimits()
    try:
        source = MovieSource("", 0, address)
    except MessageError as error:
        raise SessionError(f"Can't list the movies: {error}.") from error
    if source.url is None or source.is_http:
        raise SessionError("Only a server with an rtsp:// address can list its movies.")
    uri = str(replace(source.url, path="/"))
    connection = source.connect(limits.connect, steady)
    try:
        for number in range(1, MAX_TRIES + 1):
            headers = [("User-Agent", USER_AGENT), ("Content-Type", CONTENT_TYPE)]
            headers += source.login.authorization("GET_PARAMETER", uri)
            request = Request("GET_PARAMETER", uri, Headers(headers), str(number), REQUEST)
            response = _answer(connection, request, steady() + limits.reply)
            if response.status != 401:
                break
            source.login.take(response.headers)
    except OSError as error:
        raise SessionError(f"The server is gone ({error.strerror or error}).") from error
    finally:
        connection.close()
    kind = response.headers.get("Content-Type").partition(";")[0].strip().lower()
    if response.status != 200 or kind != CONTENT_TYPE:
        raise SessionError("This server does not list its movies: name one in the address.")
    return parse_names(response.body)


def _answer(connection: ClientConnection, request: Request, deadline: float) -> Response:
    """Return the reply. Raises SessionError, OSError."""
    connection.send(request.serialise())
    while steady() < deadline:
        message = connection.receive(deadline)
        if isinstance(message, Response):
            return message
    raise SessionError("The server did not answer in time: name a movie in the address.")
