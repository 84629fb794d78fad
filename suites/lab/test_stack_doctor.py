"""What the doctor finds on machines of every kind, and which remedies follow.

Knows machines made of answers; nothing is installed or started here.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.stack import apt, binfmt, daemon, doctor, remedy
from lab.stack.doctor import Cure, Finding, Machine, State
from lab.stack.engine import Engine, EngineMissing
from lab.stack.plugins import Plugin, PluginMissing
from lab.stack.progress import Quiet

# An endpoint that is no socket: the doctor asks the engine of a socket where it keeps its images.
ENGINE = Engine("Docker", "tcp://127.0.0.1:1", "20.10", "1.41", "by hand")


def no_engine(_explicit: str | None) -> Engine:
    """Find no engine."""
    raise EngineMissing([("the system socket", "unix:///var/run/docker.sock", "no such socket")])


def no_rights(_explicit: str | None) -> Engine:
    """Find an engine that may not be used."""
    raise EngineMissing(
        [("the system socket", "unix:///var/run/docker.sock", "no permission to use the socket")]
    )


def no_plugin(name: str) -> Plugin:
    """Find no plugin."""
    raise PluginMissing(name, [])


WHOLE = Machine(
    find_engine=lambda _explicit: ENGINE,
    find_plugin=lambda name: Plugin(name, Path(f"/plugins/docker-{name}"), "2.26.1"),
    which=lambda program: f"/usr/bin/{program}",
    binfmt_flags=lambda: "POF",
    has_apt=lambda: True,
    is_root=lambda: True,
)
BARE = replace(
    WHOLE,
    find_engine=no_engine,
    find_plugin=no_plugin,
    which=lambda _program: None,
    binfmt_flags=lambda: None,
)


def found(machine: Machine, explicit: str | None = None) -> dict[str, Finding]:
    """Examine the machine; return the findings by name."""
    return {finding.name: finding for finding in doctor.examine(explicit, machine=machine)}


@pytest.fixture(autouse=True)
def no_docker_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine of the test names no engine."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def test_on_a_whole_machine_nothing_is_missing() -> None:
    """And the engine's finding says how it was found."""
    findings = found(WHOLE)
    assert {finding.state for name, finding in findings.items() if name != "disk"} == {State.OK}
    assert "Docker 20.10 (API 1.41) at tcp://127.0.0.1:1, found by by hand" in findings["engine"].chosen
    assert remedy.wanted([f for f in findings.values() if f.name != "disk"], arm=True) == []


def test_on_a_bare_machine_everything_is_cured_in_order() -> None:
    """Plugins are of no use before the engine's packages."""
    wanted = remedy.wanted(doctor.examine(machine=BARE), arm=True)
    assert [finding.cure for finding in wanted] == [
        Cure.INSTALL_ENGINE,
        Cure.INSTALL_PLUGINS,
        Cure.INSTALL_PLUGINS,
        Cure.INSTALL_BOOTSTRAP,
        Cure.REGISTER_ARMV7,
    ]
    assert wanted[0].remedy == "sudo apt-get install docker.io iptables"


def test_armv7_is_only_wanted_for_the_board() -> None:
    """The reference servers run without it."""
    machine = replace(WHOLE, binfmt_flags=lambda: None)
    assert found(machine)["armv7"].state is State.WARNING
    assert remedy.wanted([found(machine)["armv7"]], arm=False) == []
    assert remedy.wanted([found(machine)["armv7"]], arm=True) == [found(machine)["armv7"]]


def test_an_armv7_entry_without_flag_f_does_not_do() -> None:
    """Without F every container would need a qemu of its own."""
    finding = found(replace(WHOLE, binfmt_flags=lambda: "OC"))["armv7"]
    assert finding.state is State.WARNING
    assert "registered without flag F (flags OC)" in finding.chosen


def test_an_engine_that_is_installed_is_started_not_installed() -> None:
    """A machine that was restarted has the packages and no engine."""
    machine = replace(BARE, which=lambda program: f"/usr/sbin/{program}")
    assert found(machine)["engine"].cure is Cure.START_ENGINE


def test_an_engine_named_by_the_user_is_not_replaced_by_another() -> None:
    """Starting one elsewhere would not answer there."""
    finding = found(BARE, "tcp://127.0.0.1:7")["engine"]
    assert finding.cure is None
    assert finding.remedy == "start the engine at tcp://127.0.0.1:7, or name another"


def test_a_user_without_the_right_to_the_socket_is_told_how_to_get_it() -> None:
    """The engine runs; installing another would not help."""
    finding = found(replace(WHOLE, find_engine=no_rights, is_root=lambda: False))["engine"]
    assert finding.remedy == "sudo usermod -aG docker $USER, then log in again"
    assert finding.cure is None


def test_without_apt_there_is_a_remedy_in_words_and_no_cure() -> None:
    """On other distributions the lab says what is missing, and changes nothing."""
    findings = found(replace(BARE, has_apt=lambda: False))
    assert {findings[name].cure for name in ("engine", "compose", "buildx", "armv7")} == {None}
    with pytest.raises(remedy.NotReady, match="cannot put this right by itself: engine"):
        remedy.apply([findings["engine"]], Quiet())


def test_findings_are_json_for_programs() -> None:
    """The same keys for every finding."""
    printed = json.loads(json.dumps([finding.as_json() for finding in doctor.examine(machine=BARE)]))
    engine = next(finding for finding in printed if finding["name"] == "engine")
    assert engine["state"] == "missing"
    assert engine["cure"] == "install-engine"
    assert set(engine) == {"name", "state", "chosen", "remedy", "cure"}


def test_nothing_is_changed_on_a_machine_whose_user_did_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody was there to ask: the remedy is told instead."""
    monkeypatch.setattr(remedy, "examine", lambda explicit: doctor.examine(explicit, machine=BARE))
    with pytest.raises(remedy.NotReady, match="engine: no container engine answers") as refused:
        remedy.ensure(Quiet())
    assert refused.value.remedy == "erle doctor --fix (or the same command with --yes)"


def test_installing_without_root_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step that needs root says it in a line."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(apt, "is_installed", lambda _package: False)
    with pytest.raises(remedy.NotReady, match=r"only root can install docker\.io iptables"):
        remedy.apply([found(BARE)["engine"]], Quiet())
    with pytest.raises(daemon.EngineFailed, match="only root can start"):
        daemon.start(Quiet())
    with pytest.raises(binfmt.BinfmtFailed, match="only root can register armv7"):
        binfmt.register()


@pytest.mark.parametrize(
    ("candidates", "packages"),
    [
        ({"docker-compose-v2": "2.24", "docker-buildx": "0.12"}, ["docker-compose-v2", "docker-buildx"]),
        ({"docker-compose": "2.26.1-4", "docker-buildx": "0.13"}, ["docker-compose", "docker-buildx"]),
        ({"docker-compose": "1.29.2-3", "docker-buildx": "0.10"}, []),
        ({"docker-compose": "2.26.1-4"}, []),
        ({}, []),
    ],
    ids=["ubuntu", "debian-13", "debian-12", "compose-alone", "none"],
)
def test_plugins_come_from_the_distribution_where_it_has_compose_v2(
    monkeypatch: pytest.MonkeyPatch, candidates: dict[str, str], packages: list[str]
) -> None:
    """Debian 12 has only Compose v1, which does not do."""
    monkeypatch.setattr(apt, "candidate_version", candidates.get)
    assert remedy._packaged_plugins() == packages  # noqa: SLF001  the choice itself; installing is not for a test


DEB822 = """\
Types: deb deb-src
# a comment in the middle
URIs: http://one.example/debian
 http://two.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://one.example/security
Suites: bookworm-security
Components: main
"""


def test_sources_are_read_in_the_stanza_format() -> None:
    """Comments, folded fields, disabled and source stanzas, as in sources.list(5)."""
    read = apt.parse_deb822(DEB822)
    assert [(source.uri, source.suites) for source in read] == [
        ("http://one.example/debian", ("bookworm", "bookworm-updates")),
        ("http://two.example/debian", ("bookworm", "bookworm-updates")),
        ("http://one.example/security", ("bookworm-security",)),
    ]
    assert read[0].signed_by == "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_sources_are_read_in_the_one_line_format() -> None:
    """Options in brackets and comments at the end."""
    read = apt.parse_lines(
        "# deb http://off.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian bookworm main contrib # why\n"
        "deb-src http://one.example/debian bookworm main\n"
    )
    assert read == [apt.Source("http://one.example/debian", ("bookworm",), ("main", "contrib"), "/k.gpg")]


def test_another_suite_is_fetched_from_this_machines_own_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is the configured one, the suite another; Ubuntu's archives hold no Debian."""
    monkeypatch.setattr(apt, "release", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"})
    archives = apt.debian_archive("trixie", apt.parse_deb822(DEB822))
    assert [archive.line(suite) for archive in archives for suite in archive.suites][::4] == [
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://one.example/debian trixie main",
        "deb http://one.example/security trixie-security main",
    ]
    monkeypatch.setattr(apt, "release", lambda: {"ID": "ubuntu", "VERSION_CODENAME": "noble"})
    assert apt.debian_archive("trixie", apt.parse_deb822(DEB822)) == []


def test_a_command_of_apt_that_fails_says_why() -> None:
    """The message is the error line that apt printed."""
    if not apt.is_available():
        pytest.skip("no apt here")
    with pytest.raises(LabError, match="Unable to locate package erle-lab-has-no-such-package"):
        apt._run(["apt-get", "install", "-q", "-y", "--simulate", "erle-lab-has-no-such-package"], 60.0)  # noqa: SLF001


@pytest.mark.parametrize(
    ("entry", "flags"),
    [
        ("enabled\ninterpreter /q\nflags: POF\noffset 0\n", "POF"),
        ("disabled\nflags: F\n", None),
        (None, None),
    ],
)
def test_binfmt_entries_are_read(tmp_path: Path, entry: str | None, flags: str | None) -> None:
    """Enabled with its flags, disabled, absent."""
    if entry is not None:
        (tmp_path / binfmt.ENTRY).write_text(entry)
    assert binfmt.flags(tmp_path) == flags


def test_pid_files_of_a_dead_engine_are_removed_and_a_living_ones_kept(tmp_path: Path) -> None:
    """The daemon refuses to start where another program has the pid in its file."""
    own_name = Path(f"/proc/{os.getpid()}/comm").read_text(encoding="utf-8").strip()
    files = {name: tmp_path / name for name in ("living", "gone", "other", "garbage")}
    files["living"].write_text(f"{os.getpid()}\n")
    files["gone"].write_text("4194304")  # above the largest pid that Linux gives by default
    files["other"].write_text(str(os.getpid()))
    files["garbage"].write_text("")
    programs = {"living": own_name, "gone": "dockerd", "other": "dockerd", "garbage": "dockerd"}
    stale = daemon.remove_stale_pid_files(tuple((files[name], program) for name, program in programs.items()))
    assert stale == [files["gone"], files["other"], files["garbage"]]
    assert [path.name for path in tmp_path.iterdir()] == ["living"]


def test_the_end_of_the_engines_log_fits_in_a_message(tmp_path: Path) -> None:
    """The last lines, on one; or why there are none."""
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree\nfour\n")
    assert daemon.last_lines(log) == "two | three | four"
    assert daemon.last_lines(tmp_path / "none") == "no log (No such file or directory)"
