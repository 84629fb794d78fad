"""What images and bases are named after, when they are built again, and where a base comes from.

Knows a copy of the images' folder in a temporary place, and an engine that answers as told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.errors import LabError, UnknownName
from lab.stack import accounts, bases, bootstrap, images
from lab.stack.bootstrap import BaseFailed
from lab.stack.project import IMAGES, Lab
from suites.lab.stack_labs import ROOT, engine_or_skip
from suites.waiting import wait_until


class Told:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str, str]] = []

    def update(self, subject: str, state: str, detail: str = "") -> None:
        """Remember the change."""
        self.states.append((subject, state, detail))

    def confirm(self, question: str) -> bool:
        """Nothing is asked here."""
        pytest.fail(f"asked: {question}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the images' folder that a test may change."""
    copy = tmp_path / "images"
    shutil.copytree(IMAGES, copy)
    monkeypatch.setattr(images, "IMAGES", copy)
    return copy


def test_a_changed_file_makes_a_new_tag_and_an_unchanged_one_the_same(folder: Path) -> None:
    """The tag is what says whether an image has to be built."""
    before = {name: images.tag(name, None) for name in ("postfix", "dovecot")}
    with (folder / "postfix/main.cf").open("a") as stream:
        stream.write("# one more line\n")
    assert images.tag("postfix", None) != before["postfix"]
    assert images.tag("dovecot", None) == before["dovecot"]


def test_what_is_shared_counts_only_where_it_is_used(folder: Path) -> None:
    """`start-users` is copied into openssh and not into nginx."""
    before = {name: images.tag(name, None) for name in ("openssh", "nginx")}
    with (folder / "common/start-users").open("a") as stream:
        stream.write("# one more line\n")
    assert images.tag("openssh", None) != before["openssh"]
    assert images.tag("nginx", None) == before["nginx"]


def test_an_executable_bit_counts(folder: Path) -> None:
    """A start script that lost its bit makes another image."""
    before = images.tag("vsftpd", None)
    (folder / "vsftpd/start").chmod(0o644)
    assert images.tag("vsftpd", None) != before


def test_another_base_makes_another_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new digest of the base rebuilds everything on it."""
    before = images.tag("postfix", None)
    monkeypatch.setattr(bases, "REGISTRY_DIGEST", "sha256:0")
    assert images.tag("postfix", None) != before


def test_an_image_without_a_dockerfile_is_named() -> None:
    """compose.yaml may name a folder that is not there."""
    with pytest.raises(images.BuildFailed, match=r"nosuch/Dockerfile: No such file"):
        images.tag("nosuch", None)


def test_every_image_folder_is_used_by_a_server() -> None:
    """What nothing is made from is dead weight."""
    used = {server.image for server in Lab.here(ROOT).servers().values()}
    assert {path.parent.name for path in IMAGES.glob("*/Dockerfile")} == used


def test_the_nearest_servers_are_suggested() -> None:
    """A mistyped name is answered with what was perhaps meant."""
    with pytest.raises(UnknownName, match="did you mean postfix") as unknown:
        Lab.here(ROOT).chosen(["postfx"])
    assert unknown.value.nearest == ["postfix"]


def test_a_server_brings_what_it_depends_on_first() -> None:
    """Postfix asks dovecot about passwords."""
    lab = Lab.here(ROOT)
    assert [server.name for server in lab.chosen(["postfix"])] == ["dovecot", "postfix"]
    assert "erle" not in {server.name for server in lab.chosen(None)}
    assert [server.name for server in lab.chosen(["erle"])] == ["erle"]


def test_errors_of_the_archive_name_the_suite_that_cannot_be_read() -> None:
    """Only a suite beside the release may be left out."""
    errors = [
        "Err:6 http://archive.example/debian-security bookworm-security/main armhf Packages",
        "E: Some index files failed to download.",
    ]
    assert bootstrap._unreadable_suites(errors) == {"bookworm-security"}  # noqa: SLF001  one regular expression, both ways
    assert bootstrap._unreadable_suites(["E: Unable to locate package"]) == set()  # noqa: SLF001  as above


@pytest.mark.docker
def test_a_silent_registry_and_a_failed_bootstrap_make_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to a base are told, and the remedy of the second."""
    engine = engine_or_skip()
    monkeypatch.setattr(bases, "SUITE", "nosuchsuite")  # another recipe, so nothing is there yet
    monkeypatch.setattr(bases, "_registry_refusal", lambda _engine: "no answer within 6 s")
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    told = Told()
    with pytest.raises(BaseFailed, match=r"no answer within 6 s.*mmdebstrap is not installed") as failed:
        bases.provide(engine, "amd64", told)
    assert failed.value.remedy == "erle doctor --fix"
    assert ("base amd64", "bootstrapping", "registry: no answer within 6 s") in told.states


INTERRUPTED = """
import sys
from lab.stack import bootstrap
with bootstrap.root_file_system("bookworm", "amd64", print):
    sys.exit("it was not interrupted")
"""


def command_line(process: Path) -> str:
    """The words of a process by its folder in /proc; nothing of one that has ended."""
    try:
        return (process / "cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@pytest.mark.timeout(180)
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mmdebstrap"), reason="needs root and mmdebstrap")
def test_a_bootstrap_that_is_killed_leaves_no_mount_and_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while packages are unpacked, it leaves a folder, which the next `erle gc` removes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o711)
    runner = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    try:
        assert wait_until(lambda: any(tmp_path.glob("erle-base-*/mmdebstrap.*/var/lib/dpkg/info/*")), 120)
        assert bootstrap.remove_abandoned() == [], "it is still at work there"
    finally:
        runner.kill()
        runner.wait()

    def still_there() -> list[str]:
        return [words for words in map(command_line, Path("/proc").glob("[0-9]*")) if str(tmp_path) in words]

    assert wait_until(lambda: not still_there(), 10), still_there()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    [folder] = bootstrap.remove_abandoned()
    assert not folder.exists()


@pytest.mark.docker
def test_a_build_that_fails_tells_the_builders_words(folder: Path) -> None:
    """The message ends with what the builder said, and the other images are built all the same."""
    engine = engine_or_skip()
    with (folder / "dnsmasq/Dockerfile").open("a") as stream:
        stream.write("RUN echo the disk is on fire >&2 && exit 9\n")
    told = Told()
    with pytest.raises(images.BuildFailed, match=r"the image dnsmasq could not be built.*exit code: 9"):
        images.build(engine, [Lab.here(ROOT).servers()["dnsmasq"]], told)
    assert ("image dnsmasq", "failed", "") in told.states


@pytest.mark.docker
def test_images_that_are_there_are_not_built() -> None:
    """The second time costs one question to the engine, and downloads nothing."""
    engine = engine_or_skip()
    servers = [Lab.here(ROOT).servers()["memcached"]]
    images.build(engine, servers, Told())
    told = Told()
    assert images.build(engine, servers, told) == []
    assert told.states == []


def test_passwords_are_made_once_and_only_their_owner_reaches_them(tmp_path: Path) -> None:
    """Two labs have two sets; one lab keeps its own."""
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    lab = Lab.here(tmp_path)
    made = accounts.accounts(lab)
    assert len(made) == lab.accounts().count
    assert made["user3"].address == "user3@lab.example"
    assert len({account.password for account in made.values()}) == len(made)
    assert accounts.accounts(lab) == made
    assert lab.state.stat().st_mode & 0o077 == 0
    assert accounts.password_file(lab).parent.stat().st_mode & 0o077 == 0
    assert made["user3"].password not in repr(made["user3"])


def test_a_state_folder_that_cannot_be_made_is_said_in_a_line(tmp_path: Path) -> None:
    """A read-only checkout, or a file in the way."""
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    (tmp_path / ".erle").write_text("in the way")
    with pytest.raises(LabError, match=r"\.erle"):
        accounts.accounts(Lab.here(tmp_path))
