"""The RTSP/RTP client: it asks a server for a movie, receives it, and hands its frames on.

Two threads work for it: one reads the server's replies (`receive_replies`), one receives RTP
(`receive_rtp`). A file name is requested in the lab dialect, an rtsp:// address in the standard
one. The client opens no window.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from rtplab.clock import steady
from rtplab.protocol.errors import ConnectionLost, MessageError, SessionError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.auth import hide_password
from rtplab.protocol.rtsp.messages import Dialect, InterleavedFrame, Request, Response, printable
from rtplab.protocol.rtsp.states import END, State, transition
from rtplab.receiving.files.capture import Endpoints
from rtplab.receiving.files.pcapng import Endpoint
from rtplab.receiving.rtp.frames import Frame, LabAssembler
from rtplab.receiving.rtp.impairment import Conditions, Impairment
from rtplab.receiving.rtp.receiver import MediaReceiver
from rtplab.receiving.rtp.reception import Reception
from rtplab.receiving.rtp.rtpsocket import Clock, RtpSocket
from rtplab.receiving.rtsp.login import LoginNeeded, PasswordInTheOpen
from rtplab.receiving.rtsp.movieend import MovieEnd
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.playepoch import PlayEpoch
from rtplab.receiving.rtsp.standarddialogue import Redirected
from rtplab.receiving.rtsp.streamclient import THE_END, StreamClient
from rtplab.receiving.rtsp.watch import Answers, Due, Expected, TimeLimits, Watch
from rtplab.receiving.rtsp.workers import ClientWorkers

logger = logging.getLogger("rtplab.client")


@dataclass
class Wish:
    """What the next PLAY will request."""

    position: float | None = None  # seconds into the movie; None: the current position
    scale: float = 1.0
    when_ready: bool = False  # automatically, once the session is READY


class RtspClient(StreamClient):
    """One session with one server, and then another.

    It has more attributes than other classes: most are objects that do part of the work.
    """

    def __init__(
        self,
        source: MovieSource,
        rtp_port: int = 0,
        for_window: bool = False,
        limits: TimeLimits | None = None,
        clock: Clock = steady,
    ) -> None:
        """Play `source`, by UDP on `rtp_port` (0: a free one) and the one above.

        With `for_window` commands don't block, and frames wait in `playout` until they are due;
        otherwise, only `on_frame` gets them. `clock` gives steady seconds. Raises MessageError for
        an http:// address.
        """
        if source.is_http:
            raise MessageError(f"not an RTSP address: {printable(source.name, 80)}")
        self._workers = ClientWorkers(self._failed)
        super().__init__(source, for_window, limits, clock, self._workers.changed)
        self.rtp_port = rtp_port
        self._picked_rtp_port = 0  # by the system, which will pick another for the next session
        self.frame_number = 0  # of the last frame
        self._end = MovieEnd()
        self._wish = Wish()
        self._ends: tuple[Endpoint, Endpoint] | None = None  # of the last connection
        self._dialogue = source.dialogue()
        self._receiver = self._new_receiver(Conditions())
        self._epoch = PlayEpoch(self._dialogue.start)
        self._torn_down = False  # until the next SETUP: TEARDOWN has been answered
        self._reset_session()

    def _reset_session(self) -> None:
        self.state = State.INIT
        self.frame_number = 0
        self._end.begin_session()
        self._method = ""  # of the last request of the session's
        self._complaint = ""  # the last message about packets that make no picture
        self._ended_source: int | None = None  # the source that said BYE
        self._watch = Watch(self._limits)
        self._epoch.end()

    def _new_receiver(self, conditions: Conditions) -> MediaReceiver:
        reception = Reception(LabAssembler(), patience=self.playout.latency)
        receiver = MediaReceiver(reception, self._deliver, self._movie_ended, self._clock)
        receiver.observer = self.observer
        # A new one for each session, so that its n-th packet always meets the same fate.
        receiver.impairment = Impairment(conditions)
        return receiver

    # ------------------------------------------------------------------ the user's commands

    def set_up(self) -> None:
        """Request the movie from the server; connect first if needed. Only in INIT."""
        if self.state is State.INIT and not self._watch.awaits_reply:
            self.needs_password = self.needs_basic = False
            self.error = ""
            self._run(self._connect_and_set_up)

    def play_movie(self) -> None:
        """Start the movie. Only in READY."""
        with self._changed:
            if self.state is State.READY and not self._watch.awaits_reply:
                self.send_request("PLAY")

    def pause_movie(self) -> None:
        """Pause the movie. Only in PLAYING."""
        with self._changed:
            if self.state is State.PLAYING and not self._watch.awaits_reply:
                self.send_request("PAUSE")

    def tear_down(self) -> None:
        """End the session and free its resources. `set_up` can begin another."""
        self._run(self._tear_down)

    def seek(self, seconds: float) -> None:
        """Seek to another position in the movie, if the server can."""
        if self._dialogue.can_seek:
            self._wish.position = max(0.0, seconds)
            self._play_again()

    def set_speed(self, scale: float) -> None:
        """Play at `scale` times the normal speed, if the server can."""
        if self._dialogue.can_seek:
            self._wish.scale = scale
            self._play_again()

    @property
    def scale(self) -> float:
        """The server's speed, as a multiple of the normal one, from its reply (12.34)."""
        start = self._epoch.start
        return start.scale if start is not None else 1.0

    def _play_again(self) -> None:
        """Change a playing stream as wished: PAUSE first, as some servers queue PLAY."""
        with self._changed:
            if self.state is State.PLAYING and not self._watch.awaits_reply:
                self._wish.when_ready = True
                self.send_request("PAUSE")

    def _run(self, command: Callable[[], None]) -> None:
        """Run a command that may block, here or in the background."""
        if self.for_window:
            self._run_in_background(command)
        else:
            command()

    def _run_in_background(self, command: Callable[[], None]) -> None:
        try:
            self._workers.run(command)
        except SessionError as error:
            self._fail(str(error))

    # ------------------------------------------------------------------ connecting and setting up

    def connect(self) -> None:
        """Connect, unless connected; a failure sets `error`. Blocks."""
        with self._workers.command_lock:
            self._connect()

    def _connect(self) -> None:
        if self._workers.connection is not None:
            return
        try:
            connection = self._source.connect(self._limits.connect, self._clock)
            with self._changed:
                self._ends = connection.server, connection.local
                self._workers.read_connection(connection, self.receive_replies)
        except SessionError as error:
            self._fail(str(error))

    def _connect_and_set_up(self) -> None:
        with self._workers.command_lock:
            if self.state is not State.INIT or self._watch.awaits_reply:
                return  # asked for twice while it connected
            self._forgiveness = Forgiveness(self._forgave)
            self._dialogue = self._source.dialogue(self._forgiveness)
            self._watch.begin_session()
            self._connect()
            connection = self._workers.connection
            if connection is None:
                return
            connection.begin_session(self._forgiveness)
            self._workers.free_rtp_port()
            self._receiver = self._new_receiver(self.impairment.conditions)
            try:
                self.open_rtp_port()
            except SessionError as error:
                self._fail(str(error))
                return
            with self._changed:
                if (
                    self._workers.connection is not None
                ):  # else a thread has failed, and set `error`
                    self.send_request("SETUP")

    def open_rtp_port(self) -> None:
        """Open the RTP port and start to receive. Raises SessionError if that fails."""
        with self._changed:
            self.playout.clear()
            workers, connection = self._workers, self._workers.connection
            if workers.rtp_socket is None and connection is not None and self._dialogue.uses_udp:
                port = 0 if self.rtp_port == self._picked_rtp_port else self.rtp_port
                rtp_socket = RtpSocket(
                    port, connection.server_host, self._dialogue.wants_rtcp, self._clock
                )
                self.rtp_port = rtp_socket.port
                if not port:
                    self._picked_rtp_port = self.rtp_port
                workers.read_rtp(rtp_socket, self.receive_rtp)

    def _begin_again(self) -> None:
        """Drop the connection and set up on another: at another address, or over TCP."""
        self._workers.hang_up()
        self._reset_session()
        self._run_in_background(self._connect_and_set_up)

    def _tear_down(self) -> None:
        with self._workers.command_lock:
            if self.state is not State.INIT:
                self.send_request("TEARDOWN")
                self.wait_for(lambda: not self._watch.awaits_reply, self._limits.teardown)
        self.close()

    def close(self) -> None:
        """End all threads and free all sockets. May be called twice."""
        self._workers.close()
        with self._changed:
            self._reset_session()

    # ------------------------------------------------------------------ requests

    def send_request(self, method: str) -> None:
        """Send SETUP, PLAY, PAUSE or TEARDOWN. The result shows in `state` or `error`."""
        with self._changed:
            if self._workers.connection is None:
                self._fail("Not connected to a server: press Setup.")
                return
            self._method = method
            dialogue = self._dialogue
            if method == "SETUP":
                self._torn_down = False
                request = dialogue.setup(self.rtp_port)
            elif method == "PLAY":
                request = self._play_request()
            elif method == "PAUSE":
                request = dialogue.pause()
            else:
                self._receiver.leave()
                request = dialogue.teardown()
            self._ask(request)

    def _play_request(self) -> Request:
        now = self._clock()
        self._watch.begin_playing(now)
        self._receiver.hold()
        position, self._wish.position = self._wish.position, None
        request = self._dialogue.play(position, self._wish.scale)
        dialogue = self._dialogue
        self._epoch = PlayEpoch(dialogue.start, dialogue.frame_rate, now, self._forgiveness)
        return request

    def _ask(self, request: Request) -> None:
        """Send a request whose reply is awaited."""
        self._watch.expect_reply(request, self._clock())
        self._send(request)

    def _send(self, request: Request) -> None:
        """Number a request and send it, unless the connection was closed meanwhile."""
        connection = self._workers.connection
        if connection is None:
            return
        connection.request_count += 1
        request.cseq = str(connection.request_count)
        self._watch.sent(self._clock())
        data = request.serialise()
        if self.observer is not None:
            self.observer.message_sent(hide_password(data), time.time())
        self._transmit(data)

    def _transmit(self, data: bytes) -> None:
        """Send bytes if connected; if that fails, the session is lost."""
        try:
            if self._workers.connection is not None:
                self._workers.connection.send(data)
        except OSError as error:
            self._lose(ConnectionLost(f"The server is gone ({error.strerror}): press Setup."))

    # ------------------------------------------------------------------ what the server says

    def receive_replies(self) -> None:
        """Read the server's messages until the connection ends. Runs in a thread of its own."""
        connection = self._workers.connection
        try:
            while connection is not None and self._workers.connection is connection:
                deadline = self._next_deadline()
                message = connection.receive(deadline)
                if isinstance(message, Response):
                    self.take_reply(message)
                elif isinstance(message, InterleavedFrame):
                    self._receiver.take_interleaved(message)
                elif isinstance(message, Request):
                    self._answer(message)
                if deadline is not None and self._clock() >= deadline:
                    self._receiver.release()
                    self._check_deadlines()
        except SessionError as error:
            self._workers.finish_rtp(connection)
            with self._changed:
                if self._workers.connection is connection:
                    self._lose(error)

    def take_reply(self, response: Response) -> None:
        """Act on a reply from the server, usually to the last request."""
        if self.observer is not None:
            self.observer.message_received(response.raw, time.time())
        with self._changed:
            answers = self._watch.take(response)
            number, right = response.cseq, self._watch.answered
            is_good = response.status == 200 or self._dialogue.dialect is Dialect.STANDARD
            if answers is not Answers.NOTHING and is_good and number != right:
                self._forgiveness.add(
                    "CSeq in a reply", number or None, f"{right}, as in the request"
                )
            try:
                if answers is Answers.REQUEST:
                    self._take_answer(response)
                elif answers is Answers.KEEP_ALIVE:
                    again = self._dialogue.kept_alive(response)
                    if again is not None:
                        self._send_keep_alive(again)
            except SessionError as error:
                self._fail(str(error))
            self._changed.notify_all()

    def _take_answer(self, response: Response) -> None:
        """Continue after the reply to a request of the session. Raises SessionError on refusal."""
        try:
            follow_up = self._dialogue.received(response)
        except Redirected as redirected:
            self._source.redirect(redirected.url)
            self._begin_again()
        except SessionError as error:
            self._wish.when_ready = False
            self._give_up_playing()
            self.needs_basic = isinstance(error, PasswordInTheOpen)
            self.needs_password = isinstance(error, LoginNeeded)
            raise
        else:
            if follow_up is None:
                self._succeed()
            else:
                self._ask(follow_up)

    def _succeed(self) -> None:
        """The server has done what the last request asked for."""
        self.error = self.notice = ""
        self.needs_password = self.needs_basic = False
        self.state = transition(self.state, self._method)
        self._watch.session_timeout = self._dialogue.timeout
        if self._method == "SETUP":
            self._begin_session()
        elif self._method == "PLAY":
            self.ended = False
            start = self._dialogue.start
            self._epoch.begin(start)
            # Over TCP nothing is reordered, except on purpose.
            may_be_overtaken = self._dialogue.uses_udp or not self.impairment.idle
            first_number = start.first_number if start is not None and may_be_overtaken else None
            self._receiver.let_in(first_number)
            self._look_up()
        elif self._method == "PAUSE":
            self._receiver.pause()
        elif self._method == "TEARDOWN":
            self._torn_down = True
        if self.state is State.READY and self._wish.when_ready:
            self._wish.when_ready = False
            self.playout.clear()
            self.send_request("PLAY")

    def _begin_session(self) -> None:
        """Take over what the server said about the session and its transport."""
        dialogue = self._dialogue
        self._source.arrived()
        self._epoch = PlayEpoch(dialogue.start, dialogue.frame_rate)
        self.reception.expect(dialogue.assembler(), dialogue.source(), dialogue.rtp_version)
        self._receiver.transport = dialogue.transport
        if not dialogue.uses_udp:
            self._workers.end_rtp()
        else:
            self._look_up()  # to open the firewall at once

    def _look_up(self) -> None:
        """Wake the UDP receiving thread so that it notices changes."""
        if self._workers.rtp_socket is not None:
            self._workers.rtp_socket.look_up()

    def _give_up_playing(self) -> None:
        """PLAY was refused, or not answered: then the end of what played before still counts."""
        self._receiver.give_up()
        self._look_up()

    def _answer(self, request: Request) -> None:
        """Answer a request from the server. If it announces the end of the movie, end it."""
        if self.observer is not None:
            self.observer.message_received(request.raw, time.time())
        with self._changed:
            self._watch.is_alive()
            answer = self._dialogue.answer(request)
            if answer is not None:
                reply = answer.serialise(request)
                if self.observer is not None:
                    self.observer.message_sent(reply, time.time())
                self._transmit(reply)
            if self._dialogue.says_end(request) and self.state is State.PLAYING:
                self._receiver.end()
                self._look_up()

    # ------------------------------------------------------------------ frames

    def receive_rtp(self) -> None:
        """Receive RTP until the port is closed. Runs in a thread of its own."""
        rtp_socket = self._workers.rtp_socket
        if rtp_socket is not None:
            self._receiver.listen(rtp_socket, self._dialogue.wants_rtcp)

    def _deliver(self, frames: list[Frame]) -> None:
        """Take frames as they arrive, in the receiving thread."""
        with self._changed:
            ours = self._epoch.admit(frames)
        for frame in ours:  # without the lock: the callback may call us
            self._take_frame(frame)

    def _take_frame(self, frame: Frame) -> None:
        """Hand a frame of this PLAY on to the window, and to the `on_frame` callback."""
        if self.ended:
            self._go_on()
        self._hand_on(frame)
        with self._changed:
            self.frame_number = frame.number
            self._end.last_frame = frame
            self.notice = ""
            self._watch.picture(frame.arrival)
            # A last frame after the session was lost must not erase the error.
            if self._epoch.first_frame_delay is None and self.state is not State.INIT:
                self._epoch.arrived(frame)
                self.error = ""
            elif self.error and self.error == self._complaint:
                self.error = ""
            self._changed.notify_all()

    def _movie_ended(self) -> None:
        """The server has sent BYE: it is in READY, and so are we."""
        with self._changed:
            if self.state is State.PLAYING:
                self.state = transition(self.state, END)
                self.ended = True
                self._ended_source = self.reception.ssrc
                if self.first_frame_delay is None and self.reception.unshown:
                    self._report_unshown()
                else:
                    self.notice = THE_END
                self._receiver.pause()
                self._changed.notify_all()
            elif self.state is State.READY and not self.ended:
                self.ended = True  # it had just been paused, or should still be playing and is not
                self.notice = THE_END
                self._changed.notify_all()

    def _go_on(self) -> None:
        """Frames after the end: where they are of another source, only that one had ended."""
        with self._changed:
            is_ready = self.state is State.READY and not self._watch.awaits_reply
            if is_ready and self.reception.ssrc != self._ended_source:
                self.state = transition(self.state, "PLAY")
                self.ended = False

    # ------------------------------------------------------------------ when nothing comes

    def _expected(self) -> Expected:
        gap, rate = self.reception.longest_gap, self._dialogue.frame_rate
        is_playing = self.state is State.PLAYING and not self._watch.awaits_reply
        return Expected(
            session=self.state is not State.INIT and self._method != "TEARDOWN",
            pictures=is_playing,
            longest_gap=max(gap, 1 / rate) if rate else gap,
            delay=self.impairment.conditions.longest_delay,
        )

    def _next_deadline(self) -> float | None:
        """When the reply thread must act if nothing arrives."""
        deadline = self._watch.deadline(self._expected())
        if not self._receiver.transport.interleaved:
            return deadline
        receivers = self._receiver.deadline(with_reports=self.state is State.PLAYING)
        return min((moment for moment in (deadline, receivers) if moment is not None), default=None)

    def _check_deadlines(self) -> None:
        now = self._clock()
        with self._changed:
            connection = self._workers.connection
            if connection is None:
                return
            for due in self._watch.check(now, self._expected(), connection.has_more):
                if due is Due.NO_REPLY:
                    self._report_no_reply()
                elif due is Due.NO_PICTURE:
                    self._report_no_picture(now)
                elif due is Due.KEEP_ALIVE:
                    self._keep_alive(now)
                else:
                    self._lose(
                        ConnectionLost("The connection is lost: the server has stopped answering.")
                    )
            report = self._receiver.interleaved_report() if self.state is State.PLAYING else None
            if report is not None:
                self._transmit(report)

    def _keep_alive(self, now: float) -> bool:
        """Send a keep-alive; False if the server supports none."""
        request = self._dialogue.keep_alive(self._watch.keep_alive_is_ignored(now))
        if request is not None:
            self._send_keep_alive(request)
        return request is not None

    def _send_keep_alive(self, request: Request) -> None:
        self._send(request)
        self._watch.keep_alive_sent(request, self._clock())

    def _report_no_reply(self) -> None:
        self._wish.when_ready = False
        self._give_up_playing()
        self._fail(
            f"The server has not answered {self._watch.unanswered_method} within "
            f"{self._limits.reply:g} s: try again, or press Teardown and then Setup."
        )

    def _report_no_picture(self, now: float) -> None:
        """Causes: unusable packets, the end, a lost server, or a firewall that blocks UDP."""
        reception = self.reception
        limit = self._watch.silence_limit(self._expected())
        seconds = f"{limit:.3g} s"
        # A stream that stopped in the middle of a picture has stopped; one that goes on has not.
        has_stopped = reception.last_arrival is None or now - reception.last_arrival > limit / 2
        is_unshown = reception.unshown and (self.first_frame_delay is None or not has_stopped)
        if is_unshown or self._epoch.misplaced:
            self._report_unshown()
        elif self.first_frame_delay is not None:
            what, is_news = "picture" if reception.unshown else "packet", not self.notice
            self.notice = (
                f"No {what} for {seconds}: the movie has ended, or the server has stopped sending."
            )
            if is_news and (self._watch.is_asking(now) or self._keep_alive(now)):
                self._watch.expect_sign_of_life(now)
            self._changed.notify_all()
        elif self._dialogue.uses_udp and self._source.change_to_tcp():
            self._wish.when_ready = True
            self._begin_again()
        else:
            udp = f", or a firewall blocks UDP port {self.rtp_port}"
            why = self._receiver.stray or (
                f"the server may not have {self.movie_name}{udp if self._dialogue.uses_udp else ''}"
            )
            self._fail(f"No picture arrived within {seconds} of PLAY: {why}.")

    def _report_unshown(self) -> None:
        """Packets arrived since the last picture, if there was one, but made none."""
        why = self.reception.problem or "no frame is complete"
        if self._epoch.misplaced:
            why = "their timestamps are from before the requested position"
        self._complaint = f"Packets arrive, but they do not make up a picture: {why}."
        has_only_one = self.first_frame_delay is not None and not self.reception.longest_gap
        if has_only_one:  # the interval between its pictures is still unknown
            self.notice = self._complaint
            self._changed.notify_all()
        else:
            self._fail(self._complaint)

    # ------------------------------------------------------------------ failures

    def _lose(self, error: SessionError) -> None:
        """The connection is gone, so the session is over. SETUP can begin another."""
        with self._changed:
            torn_down = self._torn_down or self._method == "TEARDOWN"
            # A server that refuses a session may then hang up; the refusal says more than that.
            is_refused = self.error and self.state is State.INIT and not self._watch.awaits_reply
            has_ended = self._has_shown_all()
            self._workers.hang_up()
            self._reset_session()
            if has_ended:
                self.ended, self.error, self.notice = True, "", THE_END
            elif not torn_down and not is_refused:
                refusal = self._dialogue.refused
                self._fail(refusal or str(error), not refusal and isinstance(error, ConnectionLost))
            self._changed.notify_all()

    def _has_shown_all(self) -> bool:
        """Tell if a server that hangs up has come to the movie's end."""
        if self.state is not State.PLAYING or self._method == "TEARDOWN":
            return False
        return self._end.is_reached(self.seconds_left, self.duration, self.frame_rate)

    def _failed(self, error: BaseException) -> None:
        """One of our threads has failed: without it, the session is over."""
        why = printable(f"{type(error).__name__}: {error}", 80)
        with self._changed:
            self._workers.hang_up()
            self._reset_session()
            self._fail(f"Internal error in the player ({why}): press Setup to start again.")

    # ------------------------------------------------------------------ what the user can ask

    @property
    def reception(self) -> Reception:
        """The reception of the current or last session, with its statistics."""
        return self._receiver.reception

    @property
    def impairment(self) -> Impairment:
        """The simulated bad network for arriving RTP. Each session has its own."""
        return self._receiver.impairment

    @property
    def seconds_left(self) -> float | None:
        """Seconds of the movie after the last frame; None if unknown."""
        frame, duration, rate = self._end.last_frame, self.duration, self.frame_rate
        if frame is None or duration is None:
            return None
        return duration - self.position_of(frame) - (1 / rate if rate else 0.0)

    @property
    def first_frame_delay(self) -> float | None:
        """Seconds from PLAY to its first frame; None until it arrives."""
        return self._epoch.first_frame_delay

    @property
    def duration(self) -> float | None:
        """The length of the movie in seconds, if the server states it."""
        return self._dialogue.duration

    @property
    def frame_rate(self) -> float | None:
        """The movie's frames per second, if the server states it."""
        return self._dialogue.frame_rate

    @property
    def endpoints(self) -> Endpoints | None:
        """The addresses of the current or last session; None before the first."""
        channels = self._receiver.transport.interleaved or (0, 1)
        return None if self._ends is None else Endpoints(*self._ends, self.rtp_port, channels)

    def position_of(self, frame: Frame) -> float:
        """Return how far into the movie a frame is, in seconds.

        A lab server does not state its position, so there it is the time since the first frame.
        """
        return self._epoch.position_of(frame)

    def set_latency(self, seconds: float) -> None:
        """Set the playout latency: how many seconds frames wait for late ones."""
        self.playout.latency = self.reception.patience = seconds

    def is_waiting(self) -> bool:
        """Tell if a request is still unanswered, or the connection is still being made."""
        return self._workers.command_lock.locked() or self._watch.awaits_reply
