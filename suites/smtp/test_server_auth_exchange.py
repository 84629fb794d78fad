"""Servers: the SASL exchange inside AUTH: challenges, responses, and what spoils them (RFC 4954, section 4)."""

from __future__ import annotations

import base64
import binascii

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.mailhost import Account
from suites.smtp.parameters import MECHANISMS
from suites.smtp.replies import split_replies
from suites.smtp.sasl import begin, challenge_of, credentials, plain
from suites.smtp.subjects import Server

pytestmark = role("server")

#: Where the driver puts what is no base64: behind AUTH, or after the challenge.
PLACES = ["AUTH PLAIN ", ""]
PLACE_NAMES = ["initial", "later"]

#: Longer than any buffer of an honest server; as a message of PLAIN it would be right in form.
ENDLESS = base64.b64encode(b"\0" + b"u" * 40_000 + b"\0" + b"p" * 35_000)


def smuggled(account: Account) -> dict[str, bytes]:
    """The right message of PLAIN, spoilt so that only a lenient decoder still reads it."""
    right = credentials(account)
    return {
        "star": right[:8] + b"*" + right[8:],
        "hyphen": right[:8] + b"-" + right[8:],
        "tab-inside": right[:8] + b"\t" + right[8:],
        "eight-bit": right[:8] + b"\xe9" + right[8:],
        "pad-first": b"=AAA" + right,
        "pad-inside": right[:7] + b"=" + right[7:],
    }


SMUGGLED = sorted(smuggled(Account("user", "password")))

#: Names that SASLprep makes nothing of, or must not take (RFC 4013, section 2).
UNPREPARED = {
    "control-character": b"\x07user",
    "soft-hyphen-alone": "\u00ad".encode(),
    "no-utf-8": b"\xffuser",
}


@pytest.mark.parametrize("mechanism", MECHANISMS)
@clause("rfc4954-4-challenge-is-base64-only")
def test_a_challenge_is_base64_and_nothing_else(server: Server, mechanism: str) -> None:
    """The text of each 334 is base64, without any other word."""
    session = server.secure()

    challenges = [begin(session, mechanism)]
    if mechanism == "LOGIN":
        challenges.append(challenge_of(session.command(base64.b64encode(b"name"))))

    for challenge in challenges:
        try:
            base64.b64decode(challenge, validate=True)
        except binascii.Error as error:
            pytest.fail(f"the challenge {challenge!r} is no base64: {error}")


@pytest.mark.parametrize("mechanism", MECHANISMS)
@clause("rfc4954-4-cancel-501")
def test_an_asterisk_cancels_the_exchange(server: Server, mechanism: str) -> None:
    """A lone asterisk is answered with 501, and the session goes on."""
    session = server.secure()
    begin(session, mechanism)

    reply = session.command("*")

    assert reply.code == 501, f"the cancellation was answered {reply}"
    assert session.usable(), "the session did not go on"


@needs("auth-plain")
@clause("rfc4954-4-cancel-501")
def test_a_cancelled_exchange_authenticates_nobody(server: Server) -> None:
    """After a cancelled exchange AUTH can be tried again, so the first one has not succeeded."""
    session = server.secure()
    begin(session, "PLAIN")
    session.command("*")

    reply = session.command(b"AUTH PLAIN " + credentials(server.account))

    assert reply.code == 235, f"AUTH after a cancelled exchange was answered {reply}"


@needs("auth-plain")
@clause("rfc4954-4-missing-initial-response-empty-challenge", "rfc4954-4-empty-challenge-keeps-space")
def test_a_missing_initial_response_is_asked_for(server: Server) -> None:
    """AUTH PLAIN alone is answered "334 " with its space, and the response may follow."""
    session = server.secure()

    challenge = session.command("AUTH PLAIN")

    assert challenge.octets == b"334 \r\n", f"AUTH PLAIN alone was answered {challenge}"
    reply = session.command(credentials(server.account))
    assert reply.code == 235, f"the response to the empty challenge was answered {reply}"


@needs("auth-plain")
@clause("rfc4954-4-equals-sign-is-empty-response")
def test_an_equals_sign_is_an_empty_response(server: Server) -> None:
    """AUTH PLAIN with "=" has brought its response, an empty one: it is refused, not asked for again."""
    session = server.secure()

    reply = session.command("AUTH PLAIN =")

    assert reply.kind == 5, f"an empty initial response was answered {reply}"
    assert session.usable(), "the session did not go on"


@needs("auth-cram-md5")
@clause("rfc4954-4-unwanted-initial-response-501")
def test_an_unwanted_initial_response_gets_501(server: Server) -> None:
    """An initial response where the server speaks first gets 501."""
    session = server.secure()

    reply = session.command(b"AUTH CRAM-MD5 " + base64.b64encode(b"test"))

    assert reply.code == 501, f"AUTH CRAM-MD5 with an initial response was answered {reply}"


@needs("auth-cram-md5", "enhanced-status-codes")
@clause("rfc4954-4-unwanted-initial-response-5.7.0")
def test_the_refusal_of_an_initial_response_says_5_7_0(server: Server) -> None:
    """The refusal of an initial response where the server speaks first carries 5.7.0."""
    session = server.secure()

    reply = session.command(b"AUTH CRAM-MD5 " + base64.b64encode(b"test"))

    assert reply.enhanced == (5, 7, 0), f"AUTH CRAM-MD5 with an initial response was answered {reply}"


@needs("auth-plain")
@pytest.mark.parametrize("before", PLACES, ids=PLACE_NAMES)
@clause("rfc4954-4-undecodable-response-501")
def test_a_response_that_is_no_base64_gets_501(server: Server, before: str) -> None:
    """A response that is no base64 ends AUTH with 501, with 5.5.2 where there are enhanced status codes."""
    session = server.secure()
    if not before:
        begin(session, "PLAIN")

    reply = session.command(f"{before}!!!!")

    assert reply.code == 501, f"a response that is no base64 was answered {reply}"
    if "ENHANCEDSTATUSCODES" in session.extensions:
        assert reply.enhanced == (5, 5, 2), f"a response that is no base64 was answered {reply}"
    assert session.usable(), "the session did not go on"


@needs("auth-plain")
@pytest.mark.parametrize("how", SMUGGLED)
@clause("rfc4954-4-strict-base64-server")
def test_octets_outside_base64_are_not_skipped(server: Server, how: str) -> None:
    """The right response with octets that base64 has not, or with padding inside, is refused."""
    session = server.secure()
    begin(session, "PLAIN")

    reply = session.command(smuggled(server.account)[how])

    assert reply.kind == 5, f"a response spoilt by {how} was answered {reply}"
    assert session.usable(), "the session did not go on"


@needs("auth-plain")
@clause("rfc4954-4-longest-response-server")
def test_the_longest_response_of_plain_is_read(server: Server) -> None:
    """A response of PLAIN with three names of 255 octets is read and judged, not refused for its length."""
    session = server.secure()
    begin(session, "PLAIN")

    reply = session.command(plain(b"u" * 255, b"p" * 255, authorize=b"a" * 255))

    assert reply.code in {454, 535}, f"a response of 1024 characters was answered {reply}"
    assert session.usable(), "the session did not go on"


@needs("auth-plain")
@cuts("whole")  # 100,000 octets; how they are cut changes nothing about their number
@clause("rfc4954-4-exchange-line-too-long-500")
def test_an_endless_response_gets_500(server: Server) -> None:
    """A response longer than the server's buffer gets 500, once; a server that reads it all says 535."""
    session = server.secure()
    begin(session, "PLAIN")

    # in two parts, or it is chance whether a server sees the line's end when its buffer overflows
    session.send(ENDLESS[: len(ENDLESS) // 2])
    early = session.stream.receive_what_comes(0.1)
    session.send(ENDLESS[len(ENDLESS) // 2 :] + b"\r\n")

    replies = split_replies(early) or [session.reply()]
    assert [reply.code for reply in replies] in ([500], [535]), (
        f"a response of {len(ENDLESS)} characters was answered {' '.join(map(str, replies))}"
    )
    assert session.usable(), "the session is out of step"


@needs("auth-plain", "enhanced-status-codes")
@cuts("whole")  # as above
@clause("rfc4954-4-exchange-line-too-long-5.5.6")
def test_the_refusal_of_an_endless_response_says_5_5_6(server: Server) -> None:
    """The refusal of a response for its length carries 5.5.6."""
    session = server.secure()
    begin(session, "PLAIN")

    reply = session.command(ENDLESS)

    assert reply.enhanced == (5, 7, 8) if reply.code == 535 else reply.enhanced == (5, 5, 6), (
        f"a response of {len(ENDLESS)} characters was answered {reply}"
    )


@needs("auth-plain")
@clause("rfc4954-4-saslprep-server")
def test_names_are_prepared_before_they_are_compared(server: Server) -> None:
    """A name with a soft hyphen in it, which SASLprep drops, is the name without."""
    session = server.secure()
    account = server.account
    name = f"{account.username[:2]}\u00ad{account.username[2:]}"

    reply = session.auth_plain(name, account.password)

    assert reply.code == 235, f"the name with a soft hyphen was answered {reply}"


@needs("auth-plain")
@pytest.mark.parametrize("name", UNPREPARED.values(), ids=UNPREPARED)
@clause("rfc4954-4-saslprep-failure-fails")
def test_a_name_that_cannot_be_prepared_fails(server: Server, name: bytes) -> None:
    """A name with octets that SASLprep forbids, or of which it leaves nothing, logs nobody in."""
    session = server.secure()
    password = server.account.password.encode()

    reply = session.command(b"AUTH PLAIN " + plain(name, password))

    assert reply.kind == 5, f"the name {name!r} was answered {reply}"
    assert session.usable(), "the session did not go on"
