"""Clients: requests by UDP (section UDP protocol).

What a client reads of answers by UDP is not judged: the one of the catalogue that sends datagrams asks for no answers. Nor are the
reserved octets of its headers, which are what its memory held before: 0 in one process and something else in the next.
"""

from __future__ import annotations

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.contract import Operation
from suites.memcached.frames import taken_apart
from suites.memcached.operations import change, delete, new_key, put
from suites.memcached.subjects import Client, claims
from suites.waiting import wait_until

# a datagram is not cut
pytestmark = [role("client"), needs("udp", "noreply"), cuts("whole")]

#: More than a datagram has room for.
TOO_LONG = b"v" * 70_000
#: Seconds until a datagram has been carried out.
ARRIVAL = 3.0


def silent(key: bytes) -> list[Operation]:
    """Some operations that ask for no answer."""
    return [
        put(key, b"a value\r\nof two lines", noreply=True),
        change("incr", key, 7, noreply=True),
        put(key, b"", noreply=True),
        delete(key, noreply=True),
    ]


@needs("arithmetic")
@clause("memcached-udp-protocol-request-in-one-datagram")
def test_a_request_is_a_datagram(client: Client) -> None:
    """Each command comes whole, in a datagram of its own, behind a header that says the first of one."""
    key = new_key()

    results, datagrams = client.run_by_udp(*silent(key))

    frames = [taken_apart(datagram) for datagram in datagrams]
    assert [(frame.sequence, frame.total) for frame in frames] == [(0, 1)] * 4, f"{claims(results)}"
    assert [frame.payload for frame in frames] == [
        b"set %b 0 0 21 noreply\r\na value\r\nof two lines\r\n" % key,
        b"incr %b 7 noreply\r\n" % key,
        b"set %b 0 0 0 noreply\r\n\r\n" % key,
        b"delete %b noreply\r\n" % key,
    ]


@needs("arithmetic")
@clause("memcached-udp-protocol-requests-told-apart")
def test_requests_have_ids_of_their_own(client: Client) -> None:
    """As nothing is answered, all requests are outstanding: no two of them have the same ID."""
    _, datagrams = client.run_by_udp(*silent(new_key()))

    ids = [taken_apart(datagram).request for datagram in datagrams]
    assert len(ids) == len(set(ids)) == 4, f"the requests have the IDs {ids}"


@clause("memcached-udp-protocol-too-long-is-told")
def test_what_has_no_room_in_a_datagram(client: Client) -> None:
    """A value that has no room in a datagram is told as not sent; no datagram has a part of it, and the next command is sent."""
    key = new_key()

    results, datagrams = client.run_by_udp(put(key, TOO_LONG, noreply=True), put(key, b"short", noreply=True))

    assert not results[0].get("success"), f"it was told as {claims(results[:1])}"
    assert [taken_apart(datagram).payload for datagram in datagrams] == [
        b"set %b 0 0 5 noreply\r\nshort\r\n" % key
    ]


@clause("memcached-udp-protocol-request-in-one-datagram")
def test_a_server_takes_it(client: Client) -> None:
    """What is stored by UDP is found on the server."""
    key = new_key()

    client.run_again([client.peer().endpoint("udp")], put(key, b"by udp", noreply=True))

    wait_until(lambda: client.stored(key) is not None, ARRIVAL)
    assert client.stored(key) == b"by udp"
