"""For --explain: what exactly the checks of servers and clients ask, and how that is observed."""

from __future__ import annotations

EXPLANATIONS = {
    "server.starts": "Server.py is started with a free port, which must listen within 10 s.",
    "server.reply": "SETUP, PLAY, PAUSE, PLAY and TEARDOWN are each answered within 3 s: a status"
    " line, CSeq with the request's number, and Session, in this order.",
    "server.session": "All replies of a connection name one session, and a second connection is"
    " given another.",
    "server.header": "In each packet V is 2, P, X, CC and M are 0 and PT is 26; the timestamp never"
    " falls and the SSRC never changes (RFC 3550 section 5.1). What encode itself gets wrong is not"
    " counted twice.",
    "server.frames": "The payloads are the frames of the movie that SETUP named, byte for byte,"
    " each once and in order.",
    "server.numbers": "The first packet has sequence number 1, and each following packet the"
    " next number.",
    "server.pace": "The median time between two packets is the handout's interval, within a quarter"
    " of it, what this machine's timers are late, and what the server had to wait for a CPU.",
    "server.pause": "No packet comes later than a quarter of a second after the reply to PAUSE, and"
    " after the next PLAY the movie goes on with the next frame.",
    "server.teardown": "TEARDOWN is answered with 200, and no packet comes after it.",
    "client.starts": "ClientLauncher.py is started with address, port, RTP port and file; it must"
    " connect and show its window within 10 s.",
    "client.header": "Each request has the handout's lines, character by character: the request"
    " line, CSeq, and Session in all but SETUP. What servers understand all the same costs half.",
    "client.transport": "The third line of SETUP is the handout's, with the RTP port that the"
    " client was started with. Another form that names this port costs half; so does a Transport"
    " line in a later request.",
    "client.cseq": "The requests of a session with a pause are numbered 1, 2, 3 and so on.",
    "client.session": "The reply to SETUP names a session that nobody can know before, and all"
    " later requests carry it.",
    "client.port": "When the first packet is sent, some socket is bound to the UDP port that SETUP"
    " named.",
    "client.timeout": "The thread that PLAY has begun must be gone 1.5 s after the reply to PAUSE,"
    " which takes a time-out on its socket; and before the first packet it must not wake more than"
    " 10 times in 0.3 s. A listener that SETUP has begun may stay for the whole session.",
    "client.shows": "At least 90 % of the frames are seen in the window, in order, less what the"
    " machine was too busy for. The frames have their numbers in the picture.",
    "client.pause": "Pause sends PAUSE, and 0.3 s after its reply the picture no longer changes.",
    "client.resume": "The second PLAY brings new pictures, and leaves no more threads than the"
    " first one did.",
    "client.states": "Play and Pause send nothing before SETUP, Pause nothing before PLAY, and Play"
    " nothing while the reply to SETUP is withheld for 1.5 s.",
    "client.error": "SETUP is answered with 404; Play must then send nothing.",
    "client.teardown": "Teardown sends TEARDOWN, and within 3 s the process has ended. It may stay"
    " only if the connection is closed, the RTP port is free, and Setup connects once more.",
    "both.movie": "The client plays from its own server, by way of the grader, and shows nearly all"
    " frames.",
}
