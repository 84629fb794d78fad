"""How long the stack takes: up, down, the second up, a delivered message. Run by itself, never beside other tests.

The figures to reach, on two processors: all reference servers up and healthy in 8 s, down in 4 s; postfix and dovecot up in
4 s; the same again in 1 s; from 250 to a mailbox in 50 ms. They are recorded, not asserted: a slow machine is no fault.
"""

from __future__ import annotations

import imaplib
import smtplib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.stack import accounts, leases, lifecycle
from lab.stack.project import Lab
from suites.lab.stack_labs import temporary_lab
from suites.waiting import wait_until

# Each benchmark brings the whole stack up several times.
pytestmark = [pytest.mark.docker, pytest.mark.benchmark_lab, pytest.mark.timeout(900)]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of the benchmark's own, its images built."""
    with temporary_lab(tmp_path / "checkout") as made:
        lifecycle.up(made, seconds=120)
        lifecycle.down(made)
        yield made


def measure(
    benchmark: BenchmarkFixture,
    target: Callable[..., object],
    *arguments: object,
    rounds: int,
    **more: object,
) -> None:
    """Time `target(*arguments)` so many times, without warm-up. `setup` is not timed, and may give the arguments."""
    benchmark.pedantic(target, arguments or (), rounds=rounds, **more)  # type: ignore[no-untyped-call]  # it has no types


def _down(lab: Lab) -> None:
    lifecycle.down(lab)


def _up(lab: Lab) -> None:
    lifecycle.up(lab, seconds=120)


def test_up_of_all_reference_servers(benchmark: BenchmarkFixture, lab: Lab) -> None:
    """From nothing to the last answer; and beside it, until the engine's own health checks have seen it too."""
    measure(benchmark, _up, lab, setup=lambda: _down(lab), rounds=3)
    _down(lab)
    began = time.monotonic()
    lifecycle.up(lab, seconds=120)
    assert wait_until(lambda: all(s.health == "healthy" for s in lifecycle.services(lab).values()), 30)
    benchmark.extra_info["healthy_seconds"] = round(time.monotonic() - began, 2)


def test_down_of_all_reference_servers(benchmark: BenchmarkFixture, lab: Lab) -> None:
    """Containers, network and volumes."""
    measure(benchmark, lifecycle.down, lab, setup=lambda: _up(lab), rounds=3)


def test_up_of_the_mail_servers(benchmark: BenchmarkFixture, lab: Lab) -> None:
    """What `erle run smtp` waits for."""
    measure(benchmark, lifecycle.up, lab, ["postfix"], setup=lambda: _down(lab), rounds=5)


def test_a_lease_on_what_runs_already(benchmark: BenchmarkFixture, lab: Lab) -> None:
    """What each worker of a run pays."""
    leases.up_to_stay(lab, ["postfix"])

    def take_and_give_back() -> None:
        with leases.Lease(lab, ["postfix"]):
            pass

    measure(benchmark, take_and_give_back, rounds=10)


def test_from_accepted_to_visible(benchmark: BenchmarkFixture, lab: Lab) -> None:
    """From the 250 that ends DATA until IMAP shows the message."""
    services = lifecycle.up(lab, ["postfix"])
    user = accounts.accounts(lab)["user0"]
    with (
        smtplib.SMTP(*services["postfix"].endpoint(25)) as sender,
        imaplib.IMAP4(*services["dovecot"].endpoint(143)) as reader,
    ):
        reader.login(user.name, user.password)

        def count() -> int:
            return int(reader.select()[1][0] or b"0")

        def send() -> tuple[tuple[int], dict[str, object]]:
            before = count()
            sender.sendmail("someone@sender.example", [user.address], b"Subject: benchmark\r\n\r\nhello\r\n")
            return (before,), {}

        def visible(before: int) -> None:
            end = time.monotonic() + 10
            while count() == before:
                assert time.monotonic() < end

        measure(benchmark, visible, setup=send, rounds=100)
