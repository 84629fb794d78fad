"""`erle bench` as a user has it: what it prints and keeps, who is measured, how it ends, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from lab.bench import gate
from lab.bench.plan import find_plans, load_plan
from lab.bench.record import read
from lab.cli import bench_command
from lab.cli.app import main
from lab.errors import LabError
from lab.judge.located import DataError
from suites.lab.measured import PROGRAM, children
from suites.lab.synthetic_runs import Plan, verdict_row, write_run

ROOT = Path(__file__).parents[2]
PLAN = """\
port = 4000
reference = "one"

[[exchange]]
send = "ping?"
expect = "pong."

[[exchange]]
send = "more?"
expect = "again."
"""
SERVER = """
[[server]]
name = "{name}"
architecture = "loop"
command = ["python", "measured_server.py", "{{host}}", "{{port}}"{manner}]
"""
CATALOGUE = """\
[[implementation]]
name = "{name}"
protocol = "smtp"
role = "server"
library = "python"
command = ["serve"]
features = []
"""
QUICKLY = ("--quick", "--measure", "throughput", "--connections", "1,4", "--seed", "3")


def checkout(folder: Path, **servers: str) -> Path:
    """A checkout whose `suites/smtp` has a benchmark of these servers, by name with their manners, and nothing else."""
    suite = folder / "suites" / "smtp"
    suite.mkdir(parents=True)
    shutil.copy(PROGRAM, folder / PROGRAM.name)
    text = PLAN + "".join(SERVER.format(name=name, manner=manner) for name, manner in servers.items())
    (suite / "bench.toml").write_text(text, "utf-8")
    return folder


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = checkout(tmp_path / "checkout", one="", two="", bad=', "wrong", "0"')
    monkeypatch.setattr(bench_command, "ROOT", root)
    return root


def test_it_measures_and_keeps(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table, the seed, where the results are; the file says who was asked and that nobody judged them."""
    code = main(["bench", "smtp", "--servers", "two", *QUICKLY])
    shown = capsys.readouterr()
    (path,) = (root / "results").glob("*/benchmarks.json")
    kept = read(path.parent)
    assert code in {0, 1}, "whether the machine was quiet is not ours to say"
    assert "seed 3" in shown.err
    assert "smtp on native" in shown.out
    assert f"results/{path.parent.name}/benchmarks.json" in shown.out
    record = kept.protocols["smtp"]
    assert [server.name for server in record.servers] == ["one", "two"]
    assert {server.verdicts for server in record.servers} == {"unjudged: smtp has no suite"}
    assert record.targets["native"].settings["quick"] == "yes"
    assert {one.connections for one in record.targets["native"].series} == {1, 4}
    document = json.loads(path.read_text("utf-8"))
    assert document["protocols"]["smtp"]["targets"]["native"]["series"][0]["summary"]["rounds"] == 2
    assert children() == set()


def test_a_server_that_answers_wrongly_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and why there is no figure."""
    assert main(["bench", "smtp", "--servers", "bad", *QUICKLY]) == 1
    shown = capsys.readouterr().out
    assert "no figure: bad, 1 connection: connection 0 got b'PONG.' where b'pong.' is right" in " ".join(
        shown.split()
    )
    assert children() == set()
    assert root.exists()


def test_the_last_line_makes_the_pages(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a run whose results are kept in a folder of its own."""
    folder = root / "my results"
    main(["bench", "smtp", "--servers", "one", *QUICKLY, "--results", str(folder)])
    hint = re.search(r"\(\./erle (.*) makes pages of them\)", capsys.readouterr().out)
    assert hint

    monkeypatch.chdir(root)
    assert main(shlex.split(hint[1])) == 0

    assert len([*folder.glob("*/**/index.html")]) == 1


def test_a_run_can_be_measured_in_pieces(root: Path) -> None:
    """--into adds to a run."""
    main(["bench", "smtp", "--servers", "one", *QUICKLY])
    main(["bench", "smtp", "--servers", "one", "--quick", "--measure", "sessions", "--into", "latest"])
    (path,) = (root / "results").glob("*/benchmarks.json")
    series = read(path.parent).protocols["smtp"].targets["native"].series
    assert {one.quantity for one in series} == {"throughput", "cpu", "sessions", "session-p99"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("smpt",), "no benchmark (suites/<protocol>/bench.toml) called 'smpt'; did you mean smtp?"),
        (("smtp", "--servers", "tow"), "called 'tow'; did you mean two"),
        (("smtp", "--measure", "latencies"), "no measure called 'latencies'; did you mean latency"),
        (("smtp", "--connections", "ten"), "numbers from 1 with commas"),
        (("--report",), "there are no benchmarks in"),
    ],
)
def test_what_cannot_be_is_told_before_anything_starts(
    root: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, with what was meant; exit code 2, or 3 where there is nothing to report."""
    assert main(["bench", *words]) == (3 if "--report" in words else 2)
    assert said in capsys.readouterr().err
    assert not (root / "results").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: str(number.name))
def test_ctrl_c_cleans_up_and_keeps_what_was_measured(tmp_path: Path, number: signal.Signals) -> None:
    """Interrupted in the middle, or terminated: exit code 130, one line, no process left, the rounds until then kept."""
    root = checkout(tmp_path / "checkout", one="", two="")
    program = (
        "import sys\nfrom pathlib import Path\nfrom lab.cli import app, bench_command, bench_display\n"
        f"bench_command.ROOT = Path({str(root)!r})\n"
        "bench_display.LINE_INTERVAL = 0\n"
        "sys.exit(app.main(['bench', 'smtp', '--measure', 'throughput', '--connections', '1,4']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stderr is not None
        lines = iter(runner.stderr.readline, "")
        assert any("round 3 of 10" in line for line in lines)
        started = psutil.Process(runner.pid).children(recursive=True)
        os.kill(runner.pid, number)
        rest = runner.stderr.read()
        code = runner.wait(30)
    _, alive = psutil.wait_procs(started, timeout=10)
    assert len(started) >= 3, "two servers and a generator ran"
    assert alive == []
    assert code == 130
    assert "erle: interrupted; kept: " in rest
    assert "Traceback" not in rest
    (path,) = (root / "results").glob("*/benchmarks.json")
    for series in read(path.parent).protocols["smtp"].targets["native"].series:
        assert 2 <= len(series.values) < 10, f"{series.server} with {series.connections}: whole rounds alone"


# correctness first


@pytest.fixture(name="judged")
def _judged(root: Path) -> Path:
    """The checkout with a suite, a catalogue and a run in which `two` fails a case."""
    suite = root / "suites" / "smtp"
    (suite / "suite.toml").write_text('protocol = "smtp"\ntitle = "Mail"\n', "utf-8")
    (root / "implementations").mkdir()
    rows = "".join(CATALOGUE.format(name=name) for name in ("one", "two"))
    (root / "implementations" / "catalogue.toml").write_text(rows, "utf-8")
    row = {"role": "server", "case": "smtp.server.answers", "peer": "driver", "peer_kind": "driver"}
    write_run(
        root / "results",
        Plan(servers=(), clients=(), transcripts=False, run="20261122T173000Z-1a2b3c"),
        extra=[
            verdict_row(**row, implementation="one"),
            verdict_row(
                **row, implementation="two", verdict="fail", reason="it said nothing", expected=False
            ),
        ],
    )
    for path in suite.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return root


def test_a_server_that_fails_is_not_measured(judged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The latest verdicts on this code keep it out; the record says why; what no catalogue has is unjudged."""
    assert main(["bench", "smtp", *QUICKLY]) == 1
    shown = capsys.readouterr()
    assert (
        "two is not measured: 1 cases say fail, for instance smtp.server.answers: it said nothing"
        in shown.err
    )
    (path,) = (judged / "results").glob("*/benchmarks.json")
    record = read(path.parent).protocols["smtp"]
    standing = {server.name: server for server in record.servers}
    assert standing["one"].verdicts == "1 pass (run 20261122T173000Z-1a2b3c)"
    assert standing["two"].left_out.startswith("1 cases say fail")
    assert standing["bad"].verdicts == "unjudged: the catalogue does not have it"
    assert {one.server for one in record.targets["native"].series} == {"one", "bad"}


def test_verdicts_on_other_code_do_not_count(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that has changed since asks for new verdicts; where none can be had, that is the error."""
    os.utime(judged / "suites" / "smtp" / "suite.toml")
    asked: list[list[str]] = []

    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        return subprocess.CompletedProcess(words, 3, "", "erle: there is no engine\n")

    monkeypatch.setattr("lab.bench.gate.subprocess.run", run)
    plan = find_plans(judged)["smtp"]
    with pytest.raises(LabError, match=r"could not be judged .*there is no engine"):
        gate.standings(judged, judged / "results", plan, plan.servers, lambda _: None)
    assert asked[0][3:] == [
        *("run", "smtp", "--implementation", "one", "--implementation", "two", "--cut", "whole"),
        *("--results", str(judged / "results")),
    ]


def test_some_cases_alone_do_not_admit(judged: Path) -> None:
    """A run of one case says nothing of the others."""
    path = judged / "results" / "20261122T173000Z-1a2b3c" / "run.json"
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**document, "command": ["./erle", "run", "smtp", "--case", "x"]}), "utf-8")
    plan = find_plans(judged)["smtp"]
    said: list[str] = []
    with pytest.raises(LabError):
        gate.standings(judged, judged / "results", plan, plan.servers, said.append)
    assert said == ["smtp: no verdicts on this code yet of one, two; judging them first"]


# plans


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('reference = "one"', 'reference = "none"', 'needs reference = "…", the name of one of its servers'),
        ("port = 4000", "port = true", "needs port = a number"),
        ('architecture = "loop"', 'architecture = "loops"', "[[server]] has architecture = 'loops'"),
        ('name = "two"', 'name = "one"', "[[server]] repeats the name 'one'"),
        ('expect = "again."', 'expect = "wieder\\u2026"', "[[exchange]] has U+2026 in 'expect'"),
        ('"{host}"', '"{host}", "{binary}"', "has one of 'source' and \"{binary}\" without the other"),
    ],
)
def test_a_mistake_in_a_plan_is_located(root: Path, old: str, new: str, said: str) -> None:
    """File, line and remedy."""
    path = root / "suites" / "smtp" / "bench.toml"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(DataError) as caught:
        load_plan(path.parent)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_checkouts_plans_are_sound() -> None:
    """Every benchmark of the checkout can be read, and each of its commands can be filled in."""
    for plan in find_plans(ROOT).values():
        for server in plan.servers:
            words = server.argv("127.0.0.1", 0, binary="/bin/server" if server.source else None)
            assert not any("{" in word for word in words), words
            assert replace(server, needs="no_such_module").missing() == "no_such_module"
