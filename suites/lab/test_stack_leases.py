"""Who needs which servers: sharing, the last one out, and cleaning up after runners that were killed.

Knows leases and processes; the servers here are only ever memcached and dnsmasq, which start at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.stack import faults, leases, lifecycle, readiness
from lab.stack.locks import Busy, identity, is_alive, locked
from lab.stack.project import Lab
from lab.stack.service import Service
from suites.lab.stack_labs import (
    ROOT,
    cut_down,
    holder,
    let_go,
    ready,
    running,
    started_at,
    temporary_lab,
)
from suites.waiting import wait_until


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of the test's own."""
    with temporary_lab(tmp_path / "checkout") as made:
        yield made


def ended_pid() -> tuple[int, str]:
    """Return the pid and the identity of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        known = identity(process.pid)
    assert known is not None
    return process.pid, known


def test_identity_tells_a_process_from_a_later_one_with_its_pid() -> None:
    """The kernel gives a pid again; start time and boot tell the two apart."""
    known = identity(os.getpid())
    assert known is not None
    assert is_alive(os.getpid(), known)
    assert not is_alive(os.getpid(), known + "1")


def test_a_process_that_ended_is_not_alive() -> None:
    """Its pid is free, or another's."""
    assert not is_alive(*ended_pid())


def test_a_process_that_nobody_has_waited_for_is_not_alive() -> None:
    """A zombie still has its entry under /proc, and holds nothing any more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    known = identity(process.pid) or "gone"
    assert wait_until(lambda: not is_alive(process.pid, known)), "the zombie counts as alive"
    process.wait()


def test_dead_holders_are_struck_off_and_living_ones_stay() -> None:
    """One living holder is enough for everything to stay."""
    mine = leases.Holder("a", os.getpid(), identity(os.getpid()) or "", ("postfix",))
    dead = leases.Holder("b", *ended_pid(), ("postfix",))
    book = leases.Book([mine, dead], set(), {"postfix"})
    assert leases.strike_off_dead(book) == [dead]
    assert book.holders == [mine]
    assert book.unneeded() == set()


def test_what_erle_up_brought_outlives_every_lease() -> None:
    """Only what leases brought goes with the last of them."""
    assert leases.Book([], {"postfix"}, {"postfix", "nginx"}).unneeded() == {"nginx"}


def test_a_book_that_a_crash_cut_short_reads_as_empty(tmp_path: Path) -> None:
    """A damaged file must not keep every later command from running."""
    lab = Lab.here(tmp_path)
    lab.state.mkdir()
    (lab.state / "leases.json").write_text('{"holders": [', encoding="utf-8")
    assert leases.read(lab) == leases.Book()


def test_a_lock_is_held_by_one_and_freed_by_its_death(tmp_path: Path) -> None:
    """A second asker is told; after SIGKILL the lock is free at once."""
    lab = Lab.here(tmp_path)
    with locked(lab, "own"), pytest.raises(Busy), locked(lab, "own", seconds=0):
        pass
    script = (
        "import os, signal, sys; from pathlib import Path; from lab.stack.locks import locked;"
        " from lab.stack.project import Lab\n"
        "with locked(Lab.here(Path(sys.argv[1])), 'own'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with locked(lab, "own", seconds=0):
        pass


@pytest.mark.docker
def test_a_lease_brings_up_and_takes_down_what_it_names(lab: Lab) -> None:
    """Nothing runs before and nothing after."""
    with leases.Lease(lab, ["memcached"]) as lease:
        assert set(lease.services) == {"memcached"}
        assert running(lab) == {"memcached"}
    assert lifecycle.services(lab) == {}
    assert leases.read(lab) == leases.Book()


@pytest.mark.docker
def test_an_exception_inside_a_lease_takes_the_stack_down(lab: Lab) -> None:
    """Ctrl-C ends a run in the middle of anything."""
    with pytest.raises(KeyboardInterrupt), leases.Lease(lab, ["memcached"]):
        raise KeyboardInterrupt
    assert lifecycle.services(lab) == {}


@pytest.mark.docker
def test_processes_share_one_lab_and_the_last_one_takes_it_down(lab: Lab) -> None:
    """Workers get the same containers; those who leave early take nothing with them."""
    workers = [holder(lab, "memcached") for _ in range(3)]
    containers = [ready(worker) for worker in workers]
    assert containers[0]
    assert containers[0] == containers[1] == containers[2]
    assert [let_go(worker) for worker in workers[:2]] == [0, 0]
    assert running(lab) == {"memcached"}
    assert let_go(workers[2]) == 0
    assert lifecycle.services(lab) == {}


@pytest.mark.docker
def test_the_next_command_cleans_up_after_a_killed_runner(lab: Lab) -> None:
    """A runner that was killed cannot clean up: `tidy`, first in every command, does."""
    runner = holder(lab, "memcached")
    assert ready(runner)
    assert cut_down(runner) == -signal.SIGKILL
    assert running(lab) == {"memcached"}
    assert leases.tidy(lab) == ["memcached"]
    assert lifecycle.services(lab) == {}
    assert leases.tidy(lab) == []


@pytest.mark.docker
def test_a_living_holder_keeps_what_it_shares_with_a_killed_one(lab: Lab) -> None:
    """Cleaning up after one runner must not pull the servers from under another."""
    killed, living = holder(lab, "memcached"), holder(lab, "memcached")
    assert ready(killed) == ready(living)
    assert cut_down(killed) == -signal.SIGKILL
    assert leases.tidy(lab) == []
    assert running(lab) == {"memcached"}
    assert let_go(living) == 0
    assert lifecycle.services(lab) == {}


@pytest.mark.docker
def test_erle_up_stays_and_a_lease_on_top_takes_down_only_its_own(lab: Lab) -> None:
    """A run beside `erle up` leaves that server as it found it, not even restarted."""
    stay = leases.up_to_stay(lab, ["memcached"])["memcached"]
    with leases.Lease(lab, ["memcached", "dnsmasq"]):
        assert running(lab) == {"memcached", "dnsmasq"}
    left = lifecycle.services(lab)
    assert set(left) == {"memcached"}
    assert started_at(left["memcached"]) == started_at(stay)
    assert leases.release(lab) == ["memcached"]
    assert lifecycle.services(lab) == {}


@pytest.mark.docker
def test_a_second_up_reuses_what_runs(lab: Lab) -> None:
    """The same container, started once."""
    first = leases.up_to_stay(lab, ["memcached"])["memcached"]
    second = leases.up_to_stay(lab, ["memcached"])["memcached"]
    assert second.container == first.container
    assert started_at(second) == started_at(first)


@pytest.mark.docker
def test_erle_down_spares_what_a_run_is_using_unless_forced(lab: Lab) -> None:
    """The message names the server and the process that holds it."""
    with leases.Lease(lab, ["memcached"]):
        with pytest.raises(leases.InUse, match=rf"memcached \(pid {os.getpid()}\)"):
            leases.release(lab)
        assert running(lab) == {"memcached"}
        assert leases.release(lab, force=True) == ["memcached"]
    assert lifecycle.services(lab) == {}


@pytest.mark.docker
def test_ctrl_c_while_a_server_is_waited_for_leaves_nothing(tmp_path: Path) -> None:
    """The wait ends at once, not at its deadline, and the server that never became ready is gone."""
    compose = (
        (ROOT / "compose.yaml")
        .read_text(encoding="utf-8")
        .replace('expect: "^VERSION "', 'expect: "^NEVER "')
    )
    with temporary_lab(tmp_path / "checkout", compose=compose) as lab:
        runner = holder(lab, "memcached", "dnsmasq")
        assert runner.stderr is not None
        # One of the two is ready, so the other is being waited for.
        assert any("dnsmasq: ready" in line for line in runner.stderr)
        began = time.monotonic()
        runner.send_signal(signal.SIGINT)
        runner.communicate(timeout=20)
        assert time.monotonic() - began < readiness.DEADLINE / 2
        assert runner.returncode == -signal.SIGINT
        assert lifecycle.services(lab) == {}


@pytest.mark.docker
@pytest.mark.parametrize(("fault", "state"), [(faults.pause, "paused"), (faults.kill, "exited")])
def test_what_a_living_holder_has_broken_stays_broken(
    lab: Lab, fault: Callable[[Lab, str], Service], state: str
) -> None:
    """A worker that comes later neither heals what a case of another has frozen or killed, nor waits for it, nor fails."""
    other = holder(lab, "memcached")
    [container] = ready(other)
    fault(lab, "memcached")
    with leases.Lease(lab, ["memcached", "dnsmasq"]) as lease:
        assert {name: service.state for name, service in lease.services.items()} == {
            "memcached": state,
            "dnsmasq": "running",
        }
        assert lease.services["memcached"].container == container
    assert let_go(other) == 0
    assert lifecycle.services(lab) == {}


@pytest.mark.docker
def test_a_changed_server_is_started_anew_but_not_under_a_living_holder(lab: Lab) -> None:
    """Someone edits compose.yaml while a run is on: the run keeps its server; the next one gets the new one."""
    other = holder(lab, "memcached")
    [container] = ready(other)
    changed = lab.compose_file.read_text(encoding="utf-8").replace("mem_limit: 256m", "mem_limit: 255m")
    lab.compose_file.write_text(changed, encoding="utf-8")
    with leases.Lease(lab, ["memcached"]) as lease:
        assert lease.services["memcached"].container == container
        assert let_go(other) == 0
        with leases.Lease(lab, ["dnsmasq"]):
            assert lifecycle.services(lab)["memcached"].container == container
    leases.up_to_stay(lab, ["memcached"])
    fresh = lifecycle.services(lab)["memcached"]
    changed = lab.compose_file.read_text(encoding="utf-8").replace("mem_limit: 255m", "mem_limit: 254m")
    lab.compose_file.write_text(changed, encoding="utf-8")
    assert leases.up_to_stay(lab, ["memcached"])["memcached"].container != fresh.container
