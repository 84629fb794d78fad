"""Clients: commands in groups, and their replies (RFC 2920)."""

from __future__ import annotations

from functools import partial

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Held
from lab.wire.stream import RecordedStream
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.responder import EHLO_DEFAULT, Manners, ehlo_reply
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

THREE = ["a@lab.example", "b@lab.example", "c@lab.example"]
REFUSED = b"550 5.1.1 no such user\r\n"
GO_AHEAD = b"354 end with a dot\r\n"
FINE = b"250 2.0.0 fine\r\n"
LONE_DOT = b".\r\n"
PAUSE = 0.06


class Group:
    """A host that answers all the commands it was sent together in one segment.

    Args:
        recipients: the replies to the RCPTs in order; ``FINE`` for the others.
        mail, data: the replies to MAIL and DATA.
        end: the reply to the end of the data.
    """

    def __init__(
        self, *recipients: bytes, mail: bytes = FINE, data: bytes = GO_AHEAD, end: bytes = FINE
    ) -> None:
        self._recipients = list(recipients)
        self._replies = {b"MAIL": mail, b"DATA": data, b"RSET": FINE}
        self._end = end

    @property
    def manners(self) -> Manners:
        """A host with these replies."""
        return Manners(answers={verb: partial(self._answer, verb) for verb in ("MAIL", "RCPT", "DATA")})

    def _answer(self, verb: str, stream: RecordedStream) -> None:
        lines = [verb.encode(), *stream.receive_what_comes(PAUSE).splitlines()]
        verbs = [line[:4].upper() for line in lines]
        replies = [self._reply(one) for one in verbs]
        stream.send(b"".join(replies))
        if verbs[-1] == b"DATA" and replies[-1].startswith(b"354"):
            while stream.receive_until(b"\n", limit=65536) != LONE_DOT:
                pass
            stream.send(self._end)

    def _reply(self, verb: bytes) -> bytes:
        if verb == b"RCPT":
            return self._recipients.pop(0) if self._recipients else FINE
        return self._replies.get(verb, b"503 5.5.1 not in a group\r\n")


def send(client: Client, manners: Manners, count: int = 1) -> Exchange:
    """Send messages to three recipients each."""
    return client.submit_to_script(manners, *[transaction(SMALL_MESSAGE, THREE) for _ in range(count)])


def refused(exchange: Exchange) -> list[set[str]]:
    """The recipients that the client calls refused, for each transaction."""
    return [set(one.get("refused_recipients", {})) for one in exchange.report["transactions"]]


@clause("rfc2920-3-only-when-offered")
@cuts("whole")  # waits for silence
def test_no_groups_where_pipelining_is_not_offered(client: Client) -> None:
    """Without PIPELINING in the EHLO reply each command waits for the reply to the one before."""
    held = {"MAIL": Held(FINE), "RCPT": Held(FINE), "DATA": Held(GO_AHEAD)}

    exchange = client.submit_to_script(
        Manners(extensions=[word for word in EHLO_DEFAULT if word != "PIPELINING"], answers=held)
    )

    early = {verb: one.early for verb, one in held.items() if one.early}
    assert early == {}, f"before the replies to these the client sent {early}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@clause("rfc2920-3.1-group-enders-last")
@cuts("whole")  # waits for silence
def test_nothing_follows_ehlo_or_data(client: Client) -> None:
    """EHLO and DATA end a group: nothing comes behind them before their reply."""
    held = {"EHLO": Held(ehlo_reply(EHLO_DEFAULT)), "DATA": Held(GO_AHEAD)}

    exchange = client.submit_to_script(Manners(answers=held))

    early = {verb: one.early for verb, one in held.items() if one.early}
    assert early == {}, f"before the replies to these the client sent {early}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@needs("pipelining")
@clause("rfc2920-3.1-every-status-checked")
@cuts("whole")  # the host waits for the whole group
def test_refused_sender_in_a_group_is_seen(client: Client) -> None:
    """MAIL refused at the head of a group: the message is refused, and none is sent."""
    gone = b"503 5.5.1 no sender\r\n"

    exchange = send(client, Group(gone, gone, gone, mail=b"550 5.7.1 not you\r\n", data=gone).manners)

    assert exchange.conversation.payloads == [], f"the client sent {exchange.conversation.payloads}"
    assert (exchange.report["outcome"], exchange.report.get("code")) == ("refused", 550), (
        f"it says {exchange.report}"
    )


@pytest.mark.parametrize("number", [0, 1, 2], ids=["first", "second", "third"])
@needs("pipelining", "partial-recipients")
@clause("rfc2920-3.1-every-status-checked")
@cuts("whole")  # the host waits for the whole group
def test_refused_recipient_in_a_group_is_seen(client: Client, number: int) -> None:
    """One RCPT of three refused: that recipient, and no other, is called refused."""
    replies = [REFUSED if position == number else FINE for position in range(3)]

    exchange = send(client, Group(*replies).manners)

    assert refused(exchange) == [{THREE[number]}], f"the client says {exchange.report}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@needs("pipelining")
@clause("rfc2920-3.1-every-status-checked")
@cuts("whole")  # the host waits for the whole group
def test_refused_data_in_a_group_is_seen(client: Client) -> None:
    """DATA refused at the end of a group: the message is refused, and none is sent."""
    exchange = send(client, Group(data=b"554 5.3.0 no mail today\r\n").manners)

    assert exchange.conversation.payloads == [], f"the client sent {exchange.conversation.payloads}"
    assert (exchange.report["outcome"], exchange.report.get("code")) == ("refused", 554), (
        f"it says {exchange.report}"
    )


@needs("pipelining")
@clause("rfc2920-3.1-data-reply-checked-without-recipients")
@cuts("whole")  # the host waits for the whole group
def test_data_accepted_without_recipients_is_ended(client: Client) -> None:
    """354 behind refused RCPTs is seen: no command goes out where the host waits for data."""
    exchange = send(client, Group(REFUSED, REFUSED, REFUSED).manners)

    conversation = exchange.conversation
    assert not conversation.data_unfinished, (
        f"the host waits for data still; it got {conversation.unfinished!r}"
    )
    assert len(conversation.payloads) == len(conversation.all("DATA")), (
        f"the client said {conversation.verbs}"
    )
    commands = [payload for payload in conversation.payloads if payload.startswith((b"RSET", b"QUIT"))]
    assert commands == [], f"the client sent commands as data: {commands}"
    assert exchange.report["outcome"] == "refused", f"the client says {exchange.report}"


@needs("pipelining")
@clause("rfc2920-3.1-lone-dot-after-accepted-data")
@cuts("whole")  # the host waits for the whole group
def test_lone_dot_where_data_is_accepted_without_recipients(client: Client) -> None:
    """354 behind refused RCPTs is answered with a dot and no message."""
    exchange = send(client, Group(REFUSED, REFUSED, REFUSED, end=b"554 5.5.1 no recipients\r\n").manners)

    sent = exchange.conversation.payloads
    assert sent == [LONE_DOT] * len(exchange.conversation.all("DATA")), f"the client sent {sent}"


@needs("pipelining", "partial-recipients")
@clause("rfc2920-3.1-replies-counted")
@cuts("whole")  # the host waits for the whole group
def test_replies_are_matched_by_their_place(client: Client) -> None:
    """What a reply says does not tell which command it belongs to; its place does."""
    group = Group(
        b"251 2.1.5 sender will forward\r\n",
        b"550 5.1.8 sender data go ahead\r\n",
        b"250 2.0.0 end of data\r\n",
        mail=b"250 2.1.5 recipient ok\r\n",
    )

    exchange = send(client, group.manners)

    assert refused(exchange) == [{THREE[1]}], f"the client says {exchange.report}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@needs("pipelining", "partial-recipients", "reuse")
@clause("rfc2920-3.1-multiline-replies", "rfc2920-3.1-several-replies-not-multiline")
@cuts("whole", "lines")  # the host waits for the whole group
def test_replies_of_several_lines_in_a_group(client: Client) -> None:
    """Each command of a group may be answered with several lines."""
    group = Group(
        b"250-2.1.5 one\r\n250 2.1.5 two\r\n",
        b"550-5.1.1 one\r\n550-5.1.1 250 two\r\n550 5.1.1 three\r\n",
        mail=b"250-2.1.0 one\r\n250-2.1.0 two\r\n250 2.1.0 three\r\n",
        data=b"354-end it\r\n354 with a dot\r\n",
        end=b"250-2.0.0 one\r\n250 2.0.0 two\r\n",
    )

    exchange = send(client, group.manners, 2)

    assert refused(exchange) == [{THREE[1]}, set()], f"the client says {exchange.report}"
    assert len(exchange.conversation.payloads) == 2, f"the client says {exchange.report}"


@needs("pipelining", "partial-recipients", "reuse")
@clause("rfc2920-3.1-several-replies-not-multiline")
@cuts("whole")  # the host waits for the whole group
def test_several_replies_are_not_one(client: Client) -> None:
    """Replies of one line each, in one segment, are as many replies; none is left over for the next message."""
    exchange = send(client, Group(b"250 ok\r\n", b"550 no\r\n", b"250 ok\r\n", mail=b"250 ok\r\n").manners, 2)

    assert refused(exchange) == [{THREE[1]}, set()], f"the client says {exchange.report}"
    assert len(exchange.conversation.payloads) == 2, f"the client says {exchange.report}"


@needs("pipelining")
@clause("rfc2920-3.1-group-fits-the-window")
@cuts("whole")  # thousands of replies, octet by octet, cost much and show nothing new
def test_groups_fit_the_window(client: Client) -> None:
    """With thousands of recipients and a host of small buffers that answers one command after the other, all goes well."""
    recipients = [f"r{number}.{'x' * 50}@{'domain.' * 26}example" for number in range(4000)]
    manners = Manners(
        answers={"RCPT": b"250 2.1.5 " + b"f" * 490 + b"\r\n"}, command_limit=3 * len(recipients), window=4096
    )

    exchange = client.submit_to_script(manners, transaction(SMALL_MESSAGE, recipients))

    asked = sum(len(one.all("RCPT")) for one in exchange.conversations)
    assert asked == len(recipients), f"{asked} RCPTs came; the client says {exchange.report.get('cause')}"
    assert exchange.conversations[-1].payloads, f"the client says {exchange.report.get('cause')}"
