"""rtplab.protocol.rtsp.auth: challenges and credentials, by the RFCs' examples and nonsense."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.auth import (
    MAX_PARAMETER,
    MAX_VALUE,
    MD5,
    SHA_256,
    BasicCredentials,
    Challenge,
    DigestCredentials,
    answer,
    hide_password,
    parse_authorization,
    parse_challenges,
    secret_of,
)

# RFC 7616 section 3.9.1, and RFC 2617 section 3.5 without its qop.
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
RESPONSES = {
    MD5: "8ca523f5e9506fed4657c9700eebdbec",
    SHA_256: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}
# As they come off the wire: what is no UTF-8 as surrogates, one for a byte.
any_bytes = st.characters(codec="utf-8") | st.sampled_from("\udc80\udcff")
text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=40)


def example(algorithm: str) -> str:
    return (
        'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", '
        f'algorithm={algorithm}, nonce="{NONCE}", nc=00000001, cnonce="{CNONCE}", qop=auth, '
        f'response="{RESPONSES[algorithm]}", opaque="{OPAQUE}"'
    )


@pytest.mark.parametrize("algorithm", RESPONSES)
def test_the_examples_of_rfc_7616_are_proofs(algorithm: str) -> None:
    credentials = parse_authorization(example(algorithm))
    assert isinstance(credentials, DigestCredentials)
    secret = secret_of("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
    assert credentials.is_proof(secret, "GET")
    assert not credentials.is_proof(secret, "PUT")
    assert not credentials.is_proof(secret[:-1] + "x", "GET")


@pytest.mark.parametrize("algorithm", RESPONSES)
def test_answers_as_rfc_7616_shows(algorithm: str) -> None:
    challenge = Challenge(
        "Digest", "http-auth@example.org", NONCE, algorithm, has_qop=True, opaque=OPAQUE
    )
    made = answer(challenge, "Mufasa", "Circle of Life", "GET", "/dir/index.html", 1, CNONCE)
    assert made == parse_authorization(example(algorithm))
    assert parse_authorization(made.serialise()) == made


def test_answers_without_qop_as_rfc_2069() -> None:
    challenge = Challenge("Digest", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    made = answer(challenge, "Mufasa", "Circle Of Life", "GET", "/dir/index.html", 1, "unused")
    assert made.serialise() == (
        'Digest username="Mufasa", realm="testrealm@host.com", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", '
        'response="670fd8c2df070c60b045671b8b24ff02"'
    )
    parsed = parse_authorization(made.serialise())
    secret = secret_of("Mufasa", "testrealm@host.com", "Circle Of Life", MD5)
    assert isinstance(parsed, DigestCredentials) and parsed.is_proof(secret, "GET")


def test_reads_and_writes_basic() -> None:
    made = BasicCredentials("Aladdin", "open:sesame")
    assert made.serialise() == "Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ=="
    assert parse_authorization(made.serialise()) == made


def test_writes_a_challenge_and_reads_it() -> None:
    challenge = Challenge("Digest", 'a "b" \\c', "n1", SHA_256, has_qop=True, stale=True)
    value = challenge.serialise()
    assert value == (
        'Digest realm="a \\"b\\" \\\\c", nonce="n1", algorithm=SHA-256, qop="auth", stale=true'
    )
    assert parse_challenges([value]) == [challenge]


def test_takes_the_strongest_of_several_challenges_first() -> None:
    values = [
        'Basic realm="x", Digest realm="x", nonce="1", qop="auth-int,auth", algorithm=md5',
        'NTLM, Digest realm="x", nonce="2", algorithm=SHA-256',
        'Digest realm="x", nonce="3", algorithm=SHA-512-256, Digest realm="x", nonce="4", '
        'qop="auth-int", Negotiate dG9rZW4=',
    ]
    assert parse_challenges(values) == [
        Challenge("Digest", "x", "2", SHA_256),
        Challenge("Digest", "x", "1", MD5, has_qop=True),
        Challenge("Basic", "x"),
    ]


GOOD = 'Digest username="u", realm="r", nonce="n", uri="/", response="00"'
REFUSED = {
    "no scheme": "",
    "other scheme": 'NTLM realm="r"',
    "two schemes": GOOD + ', Basic realm="x"',
    "repeated field": GOOD + ', nonce="m"',
    "repeated field in other letters": GOOD + ', NONCE="m"',
    "no user": GOOD.replace('username="u", ', ""),
    "empty nonce": GOOD.replace('"n"', '""'),
    "unclosed quotation": GOOD[:-1],
    "unknown algorithm": GOOD + ", algorithm=MD4",
    "auth-int": GOOD + ", qop=auth-int, nc=00000001, cnonce=c",
    "qop without nc": GOOD + ", qop=auth, cnonce=c",
    "qop without cnonce": GOOD + ", qop=auth, nc=00000001",
    "nc of 0": GOOD + ", qop=auth, nc=00000000, cnonce=c",
    "nc too long": GOOD + ", qop=auth, nc=000000001, cnonce=c",
    "overlong field": GOOD + f', opaque="{"x" * (MAX_PARAMETER + 1)}"',
    "overlong value": GOOD + ", " + "x=y," * MAX_VALUE,
    "many fields": "Digest " + ",".join(f"a{n}=b" for n in range(100)),
    "field before scheme": 'nonce="n", ' + GOOD,
    "no base64": "Basic ????",
    "no colon": "Basic QQ==",
    "overlong Basic": "Basic " + "QTpB" * MAX_VALUE,
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_refuses(value: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_authorization(value)
    assert caught.value.status == 400
    assert len(str(caught.value)) < 200


@given(st.one_of(st.text(), st.from_regex(r'\A(Digest|Basic) [a-z="\\, ]*\Z')))
def test_only_documented_errors(value: str) -> None:
    for parse in (parse_authorization, lambda value: parse_challenges([value])):
        try:
            parse(value)
        except MessageError:
            pass


@given(text, text, text, st.integers(1, 0xFFFFFFFF), st.sampled_from([MD5, SHA_256]))
def test_what_is_written_is_read_and_proves_the_password(
    user: str, realm: str, password: str, count: int, algorithm: str
) -> None:
    challenge = Challenge("Digest", realm, "nonce", algorithm, has_qop=True)
    made = answer(challenge, user, password, "PLAY", "rtsp://host/x", count, "c0")
    read = parse_authorization(made.serialise())
    assert read == made
    assert isinstance(read, DigestCredentials)
    assert read.is_proof(secret_of(user, realm, password, algorithm), "PLAY")
    assert not read.is_proof(secret_of(user, realm, password + "x", algorithm), "PLAY")


any_text = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=40)
challenges = st.one_of(
    st.builds(Challenge, st.just("Basic"), any_text),
    st.builds(
        Challenge,
        *(st.just("Digest"), any_text, text, st.sampled_from([MD5, SHA_256])),
        *(st.booleans(), st.booleans(), any_text),
    ),
)


@given(challenges, challenges)
def test_challenges_that_are_written_are_read(one: Challenge, other: Challenge) -> None:
    assert parse_challenges([one.serialise()]) == [one]
    together = parse_challenges([f"{one.serialise()}, {other.serialise()}"])
    assert together in ([one, other], [other, one])


@given(st.text(any_bytes, max_size=40), st.text(any_bytes, max_size=40))
def test_basic_credentials_that_are_written_are_read(user: str, password: str) -> None:
    made = BasicCredentials(user.replace(":", ""), password)
    assert parse_authorization(made.serialise()) == made


@pytest.mark.parametrize(
    "value", ['Digest "' + "\\" * 4000, "Digest " + " " * 4000 + "=", "a" * 4000]
)
def test_nonsense_is_refused_in_no_time(value: str) -> None:
    started = time.process_time()
    with pytest.raises(MessageError):
        parse_authorization(value)
    assert time.process_time() - started < 0.5


def test_a_basic_password_is_starred_out() -> None:
    digest = b"PLAY * RTSP/1.0\r\nAuthorization: " + GOOD.encode() + b"\r\n\r\n"
    assert hide_password(digest) == digest
    basic = b"PLAY * RTSP/1.0\r\nauthorization:  basic QTpCQg==\r\nCSeq: 1\r\n\r\n"
    assert hide_password(basic) == basic.replace(b"QTpCQg==", b"********")
