"""The owner of a client's threads and sockets."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from rtplab.protocol.errors import SessionError
from rtplab.receiving.rtp.rtpsocket import RtpSocket
from rtplab.receiving.rtsp.connection import ClientConnection

# Maximum seconds to wait for frames that came before a connection was lost: whoever takes them may
# itself wait for our thread to end.
FINISH_TIME = 1.0

logger = logging.getLogger("rtplab.client")


class ClientWorkers:
    """Starts, names and joins a client's threads; wakes them up and closes their sockets.

    "rtsp" reads the connection, "rtp" the RTP port, and "command" runs a user's command that may
    block. A thread ends if its socket is removed here (`connection` and `rtp_socket` are then
    None), and its socket is then closed.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        """`failed` is called in a thread with the exception that ended it prematurely."""
        # Guards the attributes below and the client's state; notified of every reply, failure and
        # frame. The user's thread, the reply thread and the RTP thread use it.
        self.changed = threading.Condition(threading.RLock())
        self.connection: ClientConnection | None = None
        self.rtp_socket: RtpSocket | None = None
        self._failed = failed
        self._threads: list[threading.Thread] = []
        self._closing: set[threading.Thread] = set()  # threads that wait for all others to end
        self.command_lock = threading.Lock()  # one command that may block at a time

    # ------------------------------------------------------------------ starting threads

    def run(self, command: Callable[[], None]) -> None:
        """Run a command in a thread. Raises SessionError if the system grants none."""
        self._start(command, "command")

    def read_connection(self, connection: ClientConnection, read: Callable[[], None]) -> None:
        """Read this connection in a thread. Raises SessionError if the system grants none."""
        with self.changed:
            self.connection = connection
            self._start(read, "rtsp", connection)

    def read_rtp(self, rtp_socket: RtpSocket, listen: Callable[[], None]) -> None:
        """Read this RTP port in a thread. Raises SessionError if the system grants none."""
        with self.changed:
            self.rtp_socket = rtp_socket
            self._start(listen, "rtp", rtp_socket)

    def _start(
        self,
        target: Callable[[], None],
        name: str,
        owned: ClientConnection | RtpSocket | None = None,
    ) -> None:
        thread = threading.Thread(target=self._run, args=(target, owned), name=name)
        with self.changed:  # so that it is never seen registered but not started
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._threads.append(thread)
            try:
                thread.start()
            except RuntimeError as error:
                self._threads.remove(thread)
                self._close(owned)
                raise SessionError(
                    f"Can't start a thread ({error}): close other programs, then try again."
                ) from error

    def _run(self, target: Callable[[], None], owned: ClientConnection | RtpSocket | None) -> None:
        try:
            target()
        except BaseException as error:  # any error: it would be reported nowhere else
            logger.exception("A client thread has failed.")
            with self.changed:
                if owned in (None, self.connection, self.rtp_socket):  # else its end was intended
                    self._failed(error)
        finally:
            self._close(owned)

    def _close(self, owned: ClientConnection | RtpSocket | None) -> None:
        with self.changed:
            if self.connection is owned:
                self.connection = None
            if self.rtp_socket is owned:
                self.rtp_socket = None
            if owned is not None:
                owned.close()

    # ------------------------------------------------------------------ ending them

    def end_rtp(self) -> None:
        """Make the thread that reads the RTP port end."""
        with self.changed:
            if self.rtp_socket is not None:
                self.rtp_socket.wake()
                self.rtp_socket = None

    def finish_rtp(self, connection: ClientConnection | None) -> None:
        """Have the RTP port's thread hand on all that came before this connection was lost."""
        with self.changed:
            if self.connection is not connection:
                return
            self.end_rtp()
            last = [thread for thread in self._threads if thread.name == "rtp"]
        for thread in last:
            thread.join(FINISH_TIME)

    def free_rtp_port(self) -> None:
        """Wait until the port of an earlier session, or of a refused SETUP, is closed."""
        with self.changed:
            self.end_rtp()
            old = [thread for thread in self._threads if thread.name == "rtp"]
        for thread in old:
            thread.join()

    def hang_up(self) -> None:
        """Make both threads with sockets end."""
        with self.changed:
            if self.connection is not None:
                self.connection.hang_up()
                self.connection = None
            self.end_rtp()

    def close(self) -> None:
        """End all threads and wait for them. Any thread may call, and several at a time."""
        me = threading.current_thread()
        with self.changed:
            is_ours = me in self._threads
            if is_ours:
                self._closing.add(me)
        while True:  # as long as they start others
            with self.changed:
                self.hang_up()
                others = [t for t in self._threads if t is not me and t.is_alive()]
                if is_ours:  # two threads must not wait for each other
                    others = [thread for thread in others if thread not in self._closing]
            if not others:
                break
            for thread in others:
                thread.join()
        with self.changed:
            self._closing.discard(me)
