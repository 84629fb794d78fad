"""What runs, and how it is confined: two labs side by side, ports, rights, faults, and what gc finds.

Knows Docker's description of a container. What the servers say to their clients is judged elsewhere.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.stack import accounts, faults, leases, lifecycle, ports, readiness, sweep
from lab.stack.locks import identity
from lab.stack.project import CHECKOUT_LABEL, LAB_LABEL, Lab
from lab.stack.service import NotPublished, Service
from suites.lab.stack_labs import running, temporary_lab

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def all_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, dict[str, Service]]]:
    """All reference servers, in a lab of this module's own."""
    with temporary_lab(tmp_path_factory.mktemp("all") / "checkout") as lab:
        yield lab, leases.up_to_stay(lab, None)


@pytest.fixture
def memcached(tmp_path: Path) -> Iterator[Lab]:
    """A lab that runs memcached."""
    with temporary_lab(tmp_path / "checkout") as lab:
        leases.up_to_stay(lab, ["memcached"])
        yield lab


def inspected(service: Service) -> Mapping[str, Any]:  # Any: the engine's JSON
    """Return the engine's description of the service's container."""
    with service.engine.session() as client:
        description: Mapping[str, Any] = client.api.inspect_container(service.container)
        return description


def answers(lab: Lab, service: Service) -> bool:
    """Say whether the server answers all of its questions, each asked once."""
    questions = lab.servers()[service.name].ready
    return all(readiness.ask(q, service.endpoint(q.port, q.transport)) is None for q in questions)


def test_every_server_is_up_and_says_its_version(all_up: tuple[Lab, dict[str, Service]]) -> None:
    """All servers outside profiles answer all their questions, and a version stands beside each."""
    lab, services = all_up
    assert set(services) == {name for name, server in lab.servers().items() if not server.profiles}
    assert all(answers(lab, service) for service in services.values())
    assert all(service.version[:1].isdigit() for service in services.values()), services


def test_every_server_has_only_the_rights_it_needs(all_up: tuple[Lab, dict[str, Service]]) -> None:
    """Read-only root, few capabilities, no new privileges, bounded memory, processes and logs."""
    # Measured: without any one of these the server does not do its work.
    allowed = {
        "SETUID",
        "SETGID",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "KILL",
        "SYS_CHROOT",
        "NET_BIND_SERVICE",
    }
    for name, service in all_up[1].items():
        host = inspected(service)["HostConfig"]
        extra = {"AUDIT_WRITE"} if name == "openssh" else set()
        assert host["ReadonlyRootfs"] is True, name
        assert host["CapDrop"] == ["ALL"], name
        assert {cap.removeprefix("CAP_") for cap in host["CapAdd"] or ()} <= allowed | extra, name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["Privileged"] is False, name
        assert 0 < host["Memory"] <= 2**30, name
        assert 0 < host["PidsLimit"] <= 1000, name
        assert host["RestartPolicy"]["Name"] in {"no", ""}, name
        assert {"max-size", "max-file"} <= set(host["LogConfig"]["Config"]), name


def test_every_published_port_is_on_loopback_alone(all_up: tuple[Lab, dict[str, Service]]) -> None:
    """Nobody outside this machine reaches a server of the lab."""
    for name, service in all_up[1].items():
        bindings = inspected(service)["NetworkSettings"]["Ports"]
        addresses = {binding["HostIp"] for bound in bindings.values() for binding in bound or ()}
        assert addresses == {"127.0.0.1"}, name
        assert service.ports, name


def test_ports_are_chosen_by_the_kernel_but_for_the_passive_range(
    all_up: tuple[Lab, dict[str, Service]],
) -> None:
    """A fixed port would keep a second lab from starting."""
    lab, services = all_up
    first, last = ports.passive_ports(lab)
    same = {port for s in services.values() for (port, _kind), (_host, at) in s.ports.items() if port == at}
    assert same == set(range(first, last + 1))


def test_everything_that_was_started_carries_the_labels(all_up: tuple[Lab, dict[str, Service]]) -> None:
    """By its labels gc finds what was left behind: containers, networks, volumes."""
    lab, services = all_up
    with lab.engine().session() as client:
        containers = [inspected(service)["Config"]["Labels"] for service in services.values()]
        networks = [network.attrs["Labels"] for network in client.networks.list(names=[lab.name])]
        volumes = [v.attrs["Labels"] for v in client.volumes.list() if str(v.name).startswith(lab.name)]
    assert networks
    assert volumes
    for labels in [*containers, *networks, *volumes]:
        assert labels[LAB_LABEL] == lab.name
        assert labels[CHECKOUT_LABEL] == str(lab.root)


def test_no_password_stands_in_a_log_or_an_environment(all_up: tuple[Lab, dict[str, Service]]) -> None:
    """Passwords are in the one mounted file alone."""
    lab, services = all_up
    passwords = [account.password for account in accounts.accounts(lab).values()]
    for name, service in services.items():
        description = inspected(service)
        told = service.tail(1000) + str(description["Config"]) + str(description["Args"])
        assert not [password for password in passwords if password in told], name


def test_two_labs_run_side_by_side(memcached: Lab, tmp_path: Path) -> None:
    """Each has its own ports, and taking one down leaves the other running."""
    with temporary_lab(tmp_path / "other") as other:
        here = lifecycle.services(memcached)["memcached"]
        there = leases.up_to_stay(other, ["memcached"])["memcached"]
        assert here.endpoint(11211) != there.endpoint(11211)
        assert answers(memcached, here)
        assert answers(other, there)
        lifecycle.down(other)
        assert running(other) == set()
        assert answers(memcached, here)


def test_two_labs_take_two_passive_ranges(tmp_path: Path) -> None:
    """A range with a port in use is passed over; a remembered one is kept."""
    first = Lab.here(tmp_path / "one")
    first.root.mkdir()
    taken = ports.passive_ports(first)
    with socket.create_server(("127.0.0.1", taken[0] + 5)):
        assert ports.rechoose(first) != taken
    (first.state / "passive-ports").write_text(str(taken[0]), encoding="ascii")
    assert ports.passive_ports(first) == taken


def test_a_port_that_is_not_published_is_named_with_those_that_are(memcached: Lab) -> None:
    """A mistyped port is told in a line."""
    with pytest.raises(
        NotPublished, match=r"memcached \(running\) does not publish 25/tcp: 11211/tcp, 11211/udp"
    ):
        lifecycle.services(memcached)["memcached"].endpoint(25)


def test_a_killed_server_refuses_and_comes_back(memcached: Lab) -> None:
    """After a kill a client is refused at once; after a start the server answers, on new ports."""
    address = lifecycle.services(memcached)["memcached"].endpoint(11211)
    assert faults.kill(memcached, "memcached").exit_code() == 128 + signal.SIGKILL
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    assert answers(memcached, faults.start(memcached, "memcached"))


def test_a_paused_server_accepts_and_is_silent(memcached: Lab) -> None:
    """A frozen server is the slow peer that clients must give up on."""
    with faults.paused(memcached, "memcached") as frozen:
        assert frozen.state == "paused"
        question = memcached.servers()["memcached"].ready[0]
        assert readiness.ask(question, frozen.endpoint(11211), 0.3) is not None
    assert answers(memcached, lifecycle.services(memcached)["memcached"])


def test_a_disconnected_server_is_cut_off_until_it_is_connected(memcached: Lab) -> None:
    """The network is taken away and given back, under the server's own name."""
    before = lifecycle.services(memcached)["memcached"]
    faults.disconnect(memcached, "memcached")
    assert not _reachable(memcached, before)
    assert answers(memcached, faults.connect(memcached, "memcached"))


def _reachable(lab: Lab, service: Service) -> bool:
    try:
        return answers(lab, service)
    except NotPublished:
        return False


def test_a_fault_that_cannot_be_done_says_why(memcached: Lab) -> None:
    """A server that is not there, or is in another state than the fault needs."""
    with pytest.raises(faults.FaultFailed, match=r"dnsmasq is not there: erle up dnsmasq"):
        faults.kill(memcached, "dnsmasq")
    with pytest.raises(faults.FaultFailed, match="is not paused"):
        faults.unpause(memcached, "memcached")


def test_gc_removes_the_lab_of_a_checkout_that_is_gone(tmp_path: Path, memcached: Lab) -> None:
    """Containers and networks of a deleted folder go; those of another lab stay."""
    with temporary_lab(tmp_path / "deleted") as deleted:
        leases.up_to_stay(deleted, ["memcached"])
        shutil.rmtree(deleted.root)
        gone = [thing for thing in sweep.sweep(memcached) if deleted.name in thing.name]
        assert {thing.kind for thing in gone} >= {"container", "network"}
        assert str(deleted.root) in gone[0].why
    assert running(memcached) == {"memcached"}


def test_gc_removes_throw_away_containers_of_dead_runners(memcached: Lab) -> None:
    """The label names the process that the container must not outlive."""
    image = lifecycle.services(memcached)["memcached"].image
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        dead = sweep.labels_of_this_process(memcached, process.pid)
    alive = sweep.labels_of_this_process(memcached, os.getpid())
    with memcached.engine().session() as client:
        orphan = client.containers.run(image, detach=True, labels=dead)
        wanted = client.containers.run(image, detach=True, labels=alive)
        removed = {thing.name for thing in sweep.sweep(memcached)}
        assert orphan.name in removed
        assert wanted.name not in removed
        wanted.remove(force=True)


def test_gc_cleans_up_after_a_run_of_another_checkout_that_was_killed(tmp_path: Path, memcached: Lab) -> None:
    """One checkout's gc tidies them all."""
    with temporary_lab(tmp_path / "other") as other:
        leases.up_to_stay(other, ["memcached"])
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            holder = leases.Holder("x", process.pid, identity(process.pid) or "", ("memcached",))
        leases.write(other, leases.Book([holder], set(), {"memcached"}))
        sweep.sweep(memcached)
        assert running(other) == set()
    assert running(memcached) == {"memcached"}


def test_gc_removes_what_nobody_holds_and_leaves_what_somebody_does(tmp_path: Path, memcached: Lab) -> None:
    """A program that brought servers up by itself, and was killed, has left no name behind."""
    with temporary_lab(tmp_path / "other") as other:
        lifecycle.up(other, ["memcached"])
        with leases.Lease(other, ["dnsmasq"]):
            gone = [thing.name for thing in sweep.sweep(memcached) if str(other.root) in thing.why]
            assert gone == ["memcached"]
            assert running(other) == {"dnsmasq"}
    assert running(memcached) == {"memcached"}
