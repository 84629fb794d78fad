"""Servers: RET, ENVID, NOTIFY and ORCPT on MAIL and RCPT (RFC 3461). Notifications themselves are not seen here."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.mailhost import MAXIMUM_SIZE
from suites.smtp.message import DOMAIN
from suites.smtp.session import MAIL
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("dsn")]

FOREIGN = "nobody@elsewhere.example"
#: The shortest line that a server with DSN may find too long has more octets (section 5.4).
LINE_LIMIT = 1036

LONGEST_ENVID = "ENVID=".ljust(100, "e")
LONGEST_NOTIFY = "NOTIFY=SUCCESS,FAILURE,DELAY"
LONGEST_ORCPT = "ORCPT=rfc822;".ljust(500 - len(DOMAIN) - 1, "o") + f"@{DOMAIN}"

VALID_ON_MAIL = {
    "none": "",
    "ret-full": " RET=FULL",
    "ret-hdrs": " RET=HDRS",
    "envid-of-one": " ENVID=a",
    "envid-encoded": " ENVID=a+20b+2Bc+3D",
    "envid-longest": f" {LONGEST_ENVID}",
    "both": " RET=HDRS ENVID=abc",
}
INVALID_ON_MAIL = {
    "ret-unknown": " RET=NONE",
    "ret-empty": " RET=",
    "envid-equals-sign": " ENVID=a=b",
    "envid-bad-hex": " ENVID=+zz",
}
TWICE_ON_MAIL = {"ret": " RET=FULL RET=HDRS", "envid": " ENVID=a ENVID=b"}

VALID_ON_RCPT = {
    "none": "",
    "notify-never": " NOTIFY=NEVER",
    "notify-delay": " NOTIFY=DELAY",
    "notify-all": f" {LONGEST_NOTIFY}",
    "orcpt": f" ORCPT=rfc822;somebody@{DOMAIN}",
    "orcpt-encoded": f" ORCPT=rfc822;some+2Bbody@{DOMAIN}",
    "orcpt-other-type": " ORCPT=x400;/S+3Dsomebody/C+3DZZ/",
    "both": f" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;somebody@{DOMAIN}",
}
INVALID_ON_RCPT = {
    "notify-unknown": " NOTIFY=SOMETIMES",
    "notify-empty": " NOTIFY=",
    "orcpt-without-type": " ORCPT=noaddress",
    "orcpt-bad-hex": " ORCPT=rfc822;a+zz",
}
TWICE_ON_RCPT = {
    "notify": " NOTIFY=SUCCESS NOTIFY=FAILURE",
    "orcpt": " ORCPT=rfc822;a@b.example ORCPT=rfc822;a@b.example",
}


@clause("rfc3461-2-keyword-without-parameter")
def test_dsn_is_listed_without_a_parameter(server: Server) -> None:
    """EHLO lists DSN and nothing behind it."""
    session = server.greeted()

    assert session.extensions.get("DSN") == [], f"EHLO lists {session.extensions}"


@pytest.mark.parametrize("parameters", VALID_ON_MAIL.values(), ids=VALID_ON_MAIL)
@clause("rfc3461-5.1-ret-envid-no-ground-to-refuse")
def test_ret_and_envid_are_no_ground_to_refuse_mail(server: Server, parameters: str) -> None:
    """MAIL is taken with and without valid RET and ENVID."""
    session = server.greeted()

    reply = session.command(MAIL + parameters)

    assert reply.code == 250, f"MAIL with{parameters or ' nothing'} was answered {reply}"


@needs("size")
@clause("rfc3461-5.1-valid-ret-envid-same-reply")
def test_ret_and_envid_do_not_change_a_refusal(server: Server) -> None:
    """MAIL that is refused for its size is refused with the same code when it has RET and ENVID."""
    session = server.greeted()
    refused = f"{MAIL} SIZE={MAXIMUM_SIZE + 1}"
    plain = session.command(refused)
    session.expect(250, "RSET")

    reply = session.command(f"{refused} RET=HDRS ENVID=abc")

    assert reply.code == plain.code, f"without RET and ENVID: {plain}, with them: {reply}"


@clause("rfc3461-5.1-valid-ret-envid-same-reply")
def test_ret_and_envid_do_not_change_acceptance(server: Server) -> None:
    """MAIL gets the same code with RET and ENVID as without."""
    session = server.greeted()
    plain = session.command(MAIL)
    session.expect(250, "RSET")

    reply = session.command(f"{MAIL} RET=HDRS ENVID=abc")

    assert reply.code == plain.code, f"without RET and ENVID: {plain}, with them: {reply}"


@pytest.mark.parametrize("parameter", ["RET=full", "RET=Hdrs", "ret=FULL"], ids=["lower", "mixed", "keyword"])
@clause("rfc3461-4.3-ret-any-case")
def test_ret_is_understood_in_any_case(server: Server, parameter: str) -> None:
    """FULL and HDRS are understood in any mix of cases."""
    session = server.greeted()

    reply = session.command(f"{MAIL} {parameter}")

    assert reply.code == 250, f"MAIL with {parameter} was answered {reply}"


@pytest.mark.parametrize("parameters", INVALID_ON_MAIL.values(), ids=INVALID_ON_MAIL)
@clause("rfc3461-5.1-invalid-ret-envid-501")
def test_an_invalid_ret_or_envid_gets_501(server: Server, parameters: str) -> None:
    """RET or ENVID with a value that is not valid gets 501."""
    session = server.greeted()

    reply = session.command(MAIL + parameters)

    assert reply.code == 501, f"MAIL with{parameters} was answered {reply}"
    session.expect(250, MAIL)


@pytest.mark.parametrize("parameters", TWICE_ON_MAIL.values(), ids=TWICE_ON_MAIL)
@clause("rfc3461-5.1-invalid-ret-envid-501", "rfc3461-4.5-ret-envid-twice-501")
def test_ret_or_envid_twice_gets_501(server: Server, parameters: str) -> None:
    """Two RET or two ENVID on one MAIL get 501."""
    session = server.greeted()

    reply = session.command(MAIL + parameters)

    assert reply.code == 501, f"MAIL with{parameters} was answered {reply}"


@pytest.mark.parametrize("parameters", VALID_ON_RCPT.values(), ids=VALID_ON_RCPT)
@clause("rfc3461-5.1-notify-orcpt-no-ground-to-refuse")
def test_notify_and_orcpt_are_no_ground_to_refuse_rcpt(server: Server, parameters: str) -> None:
    """RCPT is taken with and without valid NOTIFY and ORCPT."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{recipient}>{parameters}")

    assert reply.code == 250, f"RCPT with{parameters or ' nothing'} was answered {reply}"


@pytest.mark.parametrize("foreign", [False, True], ids=["good", "foreign"])
@clause("rfc3461-5.1-valid-notify-orcpt-same-reply")
def test_notify_and_orcpt_do_not_change_the_reply(server: Server, *, foreign: bool) -> None:
    """RCPT, good or refused, gets the same code with NOTIFY and ORCPT as without."""
    recipient = FOREIGN if foreign else server.recipient()[1]
    session = server.greeted()
    session.mail()
    plain = session.command(f"RCPT TO:<{recipient}>")

    reply = session.command(f"RCPT TO:<{recipient}> {LONGEST_NOTIFY} ORCPT=rfc822;somebody@{DOMAIN}")

    assert reply.code == plain.code, f"without NOTIFY and ORCPT: {plain}, with them: {reply}"


@pytest.mark.parametrize(
    "parameter", ["NOTIFY=success,Failure,DELAY", "notify=never"], ids=["mixed-list", "never"]
)
@clause("rfc3461-4.1-notify-any-case")
def test_notify_is_understood_in_any_case(server: Server, parameter: str) -> None:
    """The words of NOTIFY are understood in any mix of cases."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{recipient}> {parameter}")

    assert reply.code == 250, f"RCPT with {parameter} was answered {reply}"


@pytest.mark.parametrize("value", ["NEVER,SUCCESS", "FAILURE,NEVER"], ids=["first", "last"])
@clause("rfc3461-4.1-notify-never-with-others-501")
def test_never_beside_another_word_is_refused(server: Server, value: str) -> None:
    """NOTIFY with NEVER beside another word is refused."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{recipient}> NOTIFY={value}")

    assert reply.kind == 5, f"NOTIFY={value} was answered {reply}"


@pytest.mark.parametrize("parameters", INVALID_ON_RCPT.values(), ids=INVALID_ON_RCPT)
@clause("rfc3461-5.1-invalid-notify-orcpt-501")
def test_an_invalid_notify_or_orcpt_gets_501(server: Server, parameters: str) -> None:
    """NOTIFY or ORCPT with a value that is not valid gets 501."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{recipient}>{parameters}")

    assert reply.code == 501, f"RCPT with{parameters} was answered {reply}"


@pytest.mark.parametrize("parameters", TWICE_ON_RCPT.values(), ids=TWICE_ON_RCPT)
@clause("rfc3461-4.5-notify-orcpt-twice-501", "rfc3461-5.1-invalid-notify-orcpt-501")
def test_notify_or_orcpt_twice_gets_501(server: Server, parameters: str) -> None:
    """Two NOTIFY or two ORCPT on one RCPT get 501."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{recipient}>{parameters}")

    assert reply.code == 501, f"RCPT with{parameters} was answered {reply}"


@clause("rfc3461-5.4-parameter-lengths")
def test_the_longest_parameters_are_taken(server: Server) -> None:
    """ENVID of 100 characters, RET of 8, NOTIFY of 28 and ORCPT of 500 are taken, each and together."""
    _, recipient = server.recipient()
    session = server.greeted()

    mail = session.command(f"{MAIL} RET=FULL {LONGEST_ENVID}")
    rcpts = [
        session.command(f"RCPT TO:<{recipient}> {parameters}")
        for parameters in (LONGEST_NOTIFY, LONGEST_ORCPT, f"{LONGEST_NOTIFY} {LONGEST_ORCPT}")
    ]

    assert mail.code == 250, f"MAIL with the longest ENVID and RET was answered {mail}"
    assert [reply.code for reply in rcpts] == [250] * 3, f"RCPT with the longest parameters: {rcpts}"


@clause("rfc3461-5.4-command-line-1036")
def test_a_line_of_1036_octets_is_not_too_long(server: Server) -> None:
    """RCPT in 1036 octets is not refused for its length."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    line = f"RCPT TO:<{recipient}> {LONGEST_NOTIFY} {LONGEST_ORCPT}"
    # no path fills a line (RFC 5321, section 4.5.3.1.3), so white space at the end does (section 4.1.1)
    padded = line.ljust(LINE_LIMIT - 2)

    reply = session.command(padded)

    assert reply.code != 500, f"RCPT of {len(padded) + 2} octets was answered {reply}"
    session.expect(250, line)


@needs("starttls")
@clause("rfc3461-5.4-command-line-with-all-extensions")
def test_mail_with_every_parameter_at_its_longest_is_taken(server: Server) -> None:
    """MAIL with the longest path and all parameters that EHLO allows, each at its longest, is taken."""
    session = server.secure()
    at_longest = {
        "SIZE": "SIZE=00000000000000000042",
        "8BITMIME": "BODY=8BITMIME",
        "SMTPUTF8": "SMTPUTF8",
        "AUTH": "AUTH=" + "+41" * 160 + f"@{DOMAIN}",
        "DSN": f"RET=FULL {LONGEST_ENVID}",
    }
    parameters = [value for keyword, value in at_longest.items() if keyword in session.extensions]
    domain = ".".join(["d" * 60] * 3) + ".example"
    line = " ".join([f"MAIL FROM:<{'s' * 63}@{domain}>", *parameters])

    reply = session.command(line)

    assert reply.code == 250, f"MAIL of {len(line) + 2} octets was answered {reply}"
