"""rtplab.serving.admission.access: users, nonces, replays, and delays for guessers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.auth import (
    MD5,
    SHA_256,
    BasicCredentials,
    Challenge,
    answer,
    parse_challenges,
    secret_of,
)
from rtplab.protocol.rtsp.messages import Headers, Request, Response
from rtplab.serving.admission import access
from rtplab.serving.admission.access import (
    FIRST_DELAY,
    LONGEST_DELAY,
    MAX_WAITING,
    NONCE_LIFETIME,
    Authenticator,
    FailedTries,
    UserDatabase,
    UsersError,
    address_key,
    parse_user,
)

URI = "rtsp://host/movie.Mjpeg/trackID=0"


class Viewer:
    """Answers the challenges of a server."""

    def __init__(
        self, authenticator: Authenticator, password: str = "secret", user: str = "ann"
    ) -> None:
        self.authenticator, self.user, self.password = authenticator, user, password
        self.count = 0
        self.challenge: Challenge | None = None

    def ask(self, now: float, *, algorithm: str = MD5, qop: bool = True, uri: str = URI) -> str:
        """What comes of a request: in, out, stale; then the delay, where there is one."""
        if self.challenge is None:
            self.take(self.authenticator.check(Request("PLAY", URI), now).refusal, algorithm)
        assert self.challenge is not None
        challenge = Challenge(
            "Digest", self.challenge.realm, self.challenge.nonce, algorithm, has_qop=qop
        )
        self.count += 1
        made = answer(challenge, self.user, self.password, "PLAY", uri, self.count, "c")
        return self.present(made.serialise(), now)

    def present(self, value: str, now: float) -> str:
        result = self.authenticator.check(
            Request("PLAY", URI, Headers([("Authorization", value)])), now
        )
        if result.refusal is None:
            return "in"
        assert result.refusal.status == 401
        self.take(result.refusal, MD5)
        assert self.challenge is not None
        return "stale" if self.challenge.stale else f"out {result.delay:g}"

    def take(self, refusal: Response | None, algorithm: str) -> None:
        assert refusal is not None
        challenges = parse_challenges([value for _, value in refusal.headers])
        self.challenge = next(c for c in challenges if c.algorithm == algorithm)
        self.count = 0


def new_authenticator(users: UserDatabase | None = None) -> Authenticator:
    return Authenticator(users or UserDatabase([("ann", "secret")]), "192.0.2.1")


@pytest.mark.parametrize("algorithm", [MD5, SHA_256])
@pytest.mark.parametrize("qop", [True, False])
def test_the_right_password_lets_in(algorithm: str, qop: bool) -> None:
    viewer = Viewer(new_authenticator())
    assert viewer.ask(0.0, algorithm=algorithm, qop=qop) == "in"
    assert viewer.ask(1.0, algorithm=algorithm, qop=qop) == "in"


def test_a_name_of_the_movie_does_for_its_track_and_no_other() -> None:
    assert Viewer(new_authenticator()).ask(0.0, uri="rtsp://host/movie.Mjpeg/") == "in"
    assert Viewer(new_authenticator()).ask(0.0, uri="rtsp://host/movie.Mj") == "out 0.25"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (f"{URI}/", "in"),
        (URI.replace("rtsp://host", ""), "in"),
        (URI.replace("rtsp://host", "RTSP://HOST"), "in"),
        (URI.replace("movie", "%6dovie"), "in"),
        ("rtsp://host/", "out 0.25"),
        ("/", "out 0.25"),
        ("*", "out 0.25"),
        ("rtsp://host/other.Mjpeg", "out 0.25"),
    ],
)
def test_an_answer_may_write_the_address_in_another_way(uri: str, said: str) -> None:
    assert Viewer(new_authenticator()).ask(0.0, uri=uri) == said


@pytest.mark.parametrize(
    "value",
    [
        'Digest username="", realm="rtplab", nonce="1", uri="/", response="2"',
        'Digest username="ann", realm="rtplab", nonce="1", uri="/", response="2", algorithm=MD4',
        "Bearer 5",
        "Basic !",
        "",
        "Digest " + "x" * 5000,
    ],
)
def test_an_authorization_that_can_not_be_used_is_answered_as_if_there_were_none(
    value: str,
) -> None:
    """openRTSP sends an empty name, and VLC asks for a password only at 401."""
    assert Viewer(new_authenticator()).present(value, 0.0) == "out 0"


def test_an_answer_for_another_realm_is_wrong() -> None:
    viewer = Viewer(new_authenticator())
    assert viewer.ask(0.0) == "in"
    assert viewer.challenge is not None
    right = answer(viewer.challenge, "ann", "secret", "PLAY", URI, 2, "c").serialise()
    assert viewer.present(right.replace('realm="rtplab"', 'realm="other"'), 0.0) == "out 0.25"


@pytest.mark.parametrize(
    "viewer",
    [
        Viewer(new_authenticator(), "wrong"),
        Viewer(new_authenticator(), user="bob"),
        Viewer(new_authenticator(), "wrong", user="bob"),
    ],
    ids=["password", "user", "both"],
)
def test_whoever_is_wrong_stays_out_and_waits_longer_each_time(viewer: Viewer) -> None:
    said = [viewer.ask(0.0) for _ in range(7)]
    assert said == ["out 0.25", "out 0.5", "out 1", "out 2", "out 4", "out 4", "out 4"]


def test_a_nonce_grows_stale_and_the_next_one_lets_in() -> None:
    viewer = Viewer(new_authenticator())
    assert viewer.ask(0.0) == "in"
    assert viewer.ask(NONCE_LIFETIME - 1) == "in"
    assert viewer.ask(NONCE_LIFETIME) == "stale"
    assert viewer.ask(NONCE_LIFETIME) == "in"


def test_a_wrong_password_with_an_old_nonce_is_wrong_and_not_stale() -> None:
    viewer = Viewer(new_authenticator(), "wrong")
    viewer.ask(0.0)
    assert viewer.ask(2 * NONCE_LIFETIME).startswith("out")


def test_a_nonce_is_good_on_no_other_connection() -> None:
    viewer = Viewer(new_authenticator())
    assert viewer.ask(0.0) == "in"
    viewer.authenticator = new_authenticator()
    assert viewer.ask(0.0) == "stale"


def test_what_was_overheard_can_not_be_said_again() -> None:
    viewer = Viewer(new_authenticator())
    assert viewer.ask(0.0) == "in"
    assert viewer.challenge is not None
    overheard = answer(viewer.challenge, "ann", "secret", "PLAY", URI, 5, "c").serialise()
    assert viewer.present(overheard, 1.0) == "in"
    assert viewer.present(overheard, 1.0) == "stale"
    assert viewer.present(overheard, 1.0) == "stale"


def test_basic_lets_nobody_in() -> None:
    """It sends the password itself; whoever knows it is asked for a digest of it."""
    viewer = Viewer(new_authenticator())
    assert viewer.present(BasicCredentials("ann", "secret").serialise(), 0.0) == "out 0.25"
    assert viewer.challenge is not None and viewer.challenge.scheme == "Digest"


def test_offers_every_algorithm_the_weaker_later() -> None:
    refusal = new_authenticator().check(Request("PLAY", URI), 0.0).refusal
    assert refusal is not None
    words = [re.findall(r"^\w+|algorithm=[\w-]+", value) for _, value in refusal.headers]
    assert words == [["Digest", "algorithm=SHA-256"], ["Digest", "algorithm=MD5"]]


def test_two_authorizations_are_refused() -> None:
    headers = Headers([("Authorization", "Basic QTpC"), ("authorization", "Basic QTpC")])
    with pytest.raises(MessageError) as caught:
        new_authenticator().check(Request("PLAY", URI, headers), 0.0)
    assert caught.value.status == 400


def test_passwords_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def note(given: bytes | str, known: bytes | str) -> bool:
        compared.append((str(given), str(known)))
        return given == known

    monkeypatch.setattr("hmac.compare_digest", note)
    rules = UserDatabase([("ann", "secret")])
    for user, password, said in (
        ("ann", "secret", "in"),
        ("ann", "wrong", "out 0.25"),
        ("bob", "secret", "out 0.5"),
    ):
        digest = Viewer(Authenticator(rules, "192.0.2.1"), password, user)
        assert digest.ask(0.0) == said
    assert len(compared) == 3 and all(map(len, next(zip(*compared, strict=True))))


# --- users ---------------------------------------------------------------------------------------


def test_reads_what_htdigest_writes(tmp_path: Path) -> None:
    file = tmp_path / "users"
    lines = ["# viewers", ""]
    lines += [f"ann:films:{secret_of('ann', 'films', 'secret', MD5).upper()}"]
    file.write_text("\n".join(lines))
    users = UserDatabase([("bob", "hush")], file)
    assert (users.realm, users.algorithms) == ("films", [MD5])
    for user, password in (("ann", "secret"), ("bob", "hush")):
        assert Viewer(new_authenticator(users=users), password, user).ask(0.0) == "in"


def test_reads_sha_256_beside_md5(tmp_path: Path) -> None:
    file = tmp_path / "users"
    lines = [f"ann:films:{secret_of('ann', 'films', 'secret', name)}" for name in (MD5, SHA_256)]
    file.write_text("\n".join(lines))
    users = UserDatabase([], file)
    assert users.algorithms == [SHA_256, MD5]
    assert Viewer(new_authenticator(users=users)).ask(0.0, algorithm=SHA_256) == "in"


WRONG_FILES = {
    "empty": "",
    "password instead of hash": "ann:films:secret",
    "no realm": "ann:" + "0" * 32,
    "twice": ("ann:films:" + "0" * 32 + "\n") * 2,
    "two realms": f"ann:films:{'0' * 32}\nbob:music:{'0' * 32}\n",
    "no algorithm for all": f"ann:films:{'0' * 32}\nbob:films:{'0' * 64}\n",
    "huge": "#" * (access.MAX_USERS_FILE + 1),
}


@pytest.mark.parametrize("text", WRONG_FILES.values(), ids=WRONG_FILES)
def test_refuses_files_in_one_sentence_that_shows_no_secret(text: str, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(text)
    with pytest.raises(UsersError) as caught:
        UserDatabase([], tmp_path / "users")
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    assert "secret" not in sentence and "000" not in sentence


def test_reads_users_of_the_command_line() -> None:
    assert parse_user("ann:a:b") == ("ann", "a:b", False)
    assert parse_user("ann:a:b:publish") == ("ann", "a:b", True)
    for text in ("ann", ":secret", "ann:", "", "ann::publish"):
        with pytest.raises(ValueError) as caught:
            parse_user(text)
        assert "secret" not in str(caught.value)


# --- failed tries --------------------------------------------------------------------------------


def test_tries_of_others_do_not_count_and_old_ones_are_forgotten() -> None:
    tries = FailedTries()
    assert [tries.add("192.0.2.1", 0.0) for _ in range(3)] == [0.25, 0.5, 1.0]
    assert tries.add("192.0.2.2", 0.0) == 0.25
    assert tries.add("192.0.2.1", access.FORGET_AFTER) == 2.0
    assert tries.add("192.0.2.1", 3 * access.FORGET_AFTER) == 0.25


def test_remembers_only_so_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_REMEMBERED", 3)
    tries = FailedTries()
    for number in range(4):
        tries.add(f"192.0.2.{number}", 0.0)
    assert tries.add("192.0.2.3", 0.0) == 0.5
    assert tries.add("192.0.2.0", 0.0) == 0.25


def test_the_delay_has_an_end() -> None:
    tries = FailedTries()
    assert max(tries.add("192.0.2.1", 0.0) for _ in range(5000)) == LONGEST_DELAY


def test_only_so_many_wrong_tries_of_an_address_wait_at_once() -> None:
    tries = FailedTries()
    for _ in range(MAX_WAITING):
        assert tries.may_try("192.0.2.1", 10.0)
        tries.add("192.0.2.1", 10.0)
    assert not tries.may_try("192.0.2.1", 10.0)
    assert tries.may_try("192.0.2.2", 10.0)
    assert tries.may_try("192.0.2.1", 10.0 + FIRST_DELAY)
    tries.add("192.0.2.1", 10.0 + FIRST_DELAY)
    assert not tries.may_try("192.0.2.1", 10.0 + FIRST_DELAY)
    assert tries.may_try("192.0.2.1", 10.0 + FIRST_DELAY + LONGEST_DELAY)
    assert not tries._tries["192.0.2.1"].answers


def test_a_guesser_on_many_connections_disturbs_nobody_who_has_logged_in() -> None:
    rules = UserDatabase([("ann", "secret")])
    viewer = Viewer(Authenticator(rules, "192.0.2.1"))
    assert viewer.ask(0.0) == "in"
    for _ in range(MAX_WAITING):
        assert Viewer(Authenticator(rules, "192.0.2.1"), "wrong").ask(0.0).startswith("out")
    right = Headers([("Authorization", BasicCredentials("ann", "secret").serialise())])
    late = Authenticator(rules, "192.0.2.1").check(Request("PLAY", URI, right), 0.0)
    assert late.refusal is not None and (late.refusal.status, late.delay) == (503, 0.0)
    assert Viewer(Authenticator(rules, "192.0.2.2")).ask(0.0) == "in"
    assert viewer.ask(0.0) == "in"


def test_all_of_a_customers_ipv6_counts_as_one_address() -> None:
    assert address_key("2001:db8:1:2::3") == address_key("2001:db8:1:2:ffff::9%eth0")
    assert address_key("2001:db8:1:2::3") != address_key("2001:db8:1:3::3")
    assert address_key("::ffff:192.0.2.1") == address_key("192.0.2.1") == "192.0.2.1"
    assert address_key("a name") == "a name"
