"""The doors for implementations that are not in the catalogue: a class, a command, a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.judge.catalogue import Implementation
from lab.judge.subject import ClientSubject
from suites.lab.command_line import erle

ROOT = Path(__file__).resolve().parents[2]

CLIENT = '''
import socket

class TinyClient:
    """Sends one message, without doubling dots."""

    def send(self, *, host, port, transactions, timeout, **_):
        transaction = transactions[0]
        with socket.create_connection((host, port), timeout) as sock, sock.makefile("rb") as replies:
            def say(octets):
                sock.sendall(octets)
                while (line := replies.readline())[3:4] == b"-":
                    pass
                return line
            replies.readline()
            say(b"EHLO tiny.lab.example\\r\\n")
            say(b"MAIL FROM:<" + transaction["mail_from"].encode() + b">\\r\\n")
            say(b"RCPT TO:<" + transaction["recipients"][0].encode() + b">\\r\\n")
            say(b"DATA\\r\\n")
            body = transaction["message"]
            if DOUBLE:
                body = (b"\\r\\n" + body).replace(b"\\r\\n.", b"\\r\\n..")[2:]
            say(body + b".\\r\\n")
            say(b"QUIT\\r\\n")
        return {"outcome": "done", "transactions": [{"outcome": "done"}]}
'''

COMMAND = """
import base64, json, sys
sys.path.insert(0, sys.argv[1])
from tiny import TinyClient
for line in sys.stdin:
    arguments = json.loads(line)["arguments"]
    for transaction in arguments["transactions"]:
        transaction["message"] = base64.b64decode(transaction.pop("message_base64"))
    print(json.dumps(TinyClient().send(**arguments)), flush=True)
"""

CASE = "smtp.client.leading-dots-are-doubled"


def run(folder: Path, *words: str) -> tuple[int, list[dict[str, object]], str]:
    """Run ``erle run smtp`` with embedded peers; the exit code, the verdict rows and what was printed."""
    results = folder / "results"
    done = erle(
        *("run", "smtp", "--peers", "embedded", f"--results={results}", *words),
        environment={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder)},
    )
    rows = []
    if (results / "latest").exists():
        run_folder = results / (results / "latest").read_text().strip()
        rows = [json.loads(line) for line in (run_folder / "verdicts.jsonl").read_text().splitlines()]
    return done.returncode, rows, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("doubles", "verdict", "code"), [(True, "pass", 0), (False, "fail", 1)], ids=["right", "wrong"]
)
def test_class_from_outside_is_judged(tmp_path: Path, *, doubles: bool, verdict: str, code: int) -> None:
    """``--client module:Class`` judges a class on the path, by the same cases."""
    (tmp_path / "tiny.py").write_text(f"DOUBLE = {doubles}\n{CLIENT}")

    exit_code, rows, printed = run(tmp_path, "--client", "tiny:TinyClient", "--case", CASE, "--cut", "whole")

    assert {row["verdict"] for row in rows if row["case"] == f"{CASE}[every-line]"} == {verdict}, printed
    assert exit_code == code, printed
    assert {row["implementation"] for row in rows} == {"TinyClient"}
    assert str(rows[0]["reproduce"]).startswith("./erle run smtp --client tiny:TinyClient --case ")


def test_command_from_outside_is_judged(tmp_path: Path) -> None:
    """``--client-command`` judges any program that speaks JSON lines."""
    (tmp_path / "tiny.py").write_text(f"DOUBLE = True\n{CLIENT}")
    (tmp_path / "speak.py").write_text(COMMAND)
    command = f"{sys.executable} {tmp_path / 'speak.py'} {tmp_path}"

    exit_code, rows, printed = run(tmp_path, "--client-command", command, "--case", CASE, "--cut", "octets")

    assert [row["verdict"] for row in rows] == ["pass"] * 4, printed
    assert exit_code == 0, printed


@pytest.mark.parametrize(
    ("program", "said"),
    [("import sys; sys.exit('no licence')", "no licence"), ("print('hello'); input()", "hello")],
    ids=["crashes", "prints-garbage"],
)
def test_command_that_cannot_be_asked_is_blocked(tmp_path: Path, program: str, said: str) -> None:
    """A foreign command that crashes or prints garbage gives *blocked*, with what it said."""
    (tmp_path / "speak.py").write_text(program)
    command = f"{sys.executable} {tmp_path / 'speak.py'}"

    exit_code, rows, printed = run(
        tmp_path, "--client-command", command, "--case", f"{CASE}[inside]", "--cut", "whole"
    )

    assert [row["verdict"] for row in rows] == ["blocked"], printed
    assert said in str(rows[0]["reason"])
    assert exit_code == 1, printed


def test_class_that_takes_its_process_down_fails(tmp_path: Path) -> None:
    """A fault in native code of a client that the lab hosts is what the client does, and not the lab's trouble."""
    (tmp_path / "tiny.py").write_text(
        "import ctypes\n\nclass Faulty:\n    def send(self, **_):\n        return ctypes.string_at(0)\n"
    )

    exit_code, rows, printed = run(
        tmp_path, "--client", "tiny:Faulty", "--case", f"{CASE}[inside]", "--cut", "whole"
    )

    assert [row["verdict"] for row in rows] == ["fail"], printed
    assert "SIGSEGV" in str(rows[0]["reason"])
    assert exit_code == 1, printed


def test_an_escaped_exception_costs_the_next_call_its_old_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the library broke in its process is no later case's business; after a told failure the process goes on."""
    (tmp_path / "counting.py").write_text(
        "import os\n\nclass Counting:\n"
        "    def fail(self):\n        return {'outcome': 'failed', 'process': os.getpid()}\n"
        "    def escape(self):\n        raise SystemError('a length of -1')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    row = Implementation("counting", "toy", "client", "-", frozenset(), entry="counting:Counting")
    subject = ClientSubject(row)
    try:
        first = subject.call("fail", {}, deadline=20)
        assert subject.call("fail", {}, deadline=20) == first
        assert subject.call("escape", {}, deadline=20)["outcome"] == "escaped"
        assert subject.call("fail", {}, deadline=20) != first
    finally:
        subject.stop()


def test_running_server_is_judged(tmp_path: Path) -> None:
    """``--server host:port`` judges a server that somebody else started; what needs its mailbox is unsupported."""
    configuration: dict[str, object] = {
        "host": "127.0.0.1",
        "hostname": "mx.lab.example",
        "certificate": None,
        "key": None,
        "users": {},
        "maximum_size": 1000,
        "domains": ["lab.example"],
        "deliver_to": str(tmp_path),
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "implementations.smtp.aiosmtpd_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdin.write(json.dumps(configuration) + "\n")
        server.stdin.flush()
        port = json.loads(server.stdout.readline())["ready"]["plain"]
        _, rows, printed = run(
            tmp_path,
            "--server",
            f"127.0.0.1:{port}",
            "--cut",
            "whole",
            "--clause",
            "rfc5321-4.5.2-leading-dot-removed",
            "--clause",
            "rfc5321-2.2.1-helo-supported",
        )
    finally:
        server.stdin.close()
        server.wait(10)
        server.stdout.close()
    assert {row["implementation"] for row in rows} == {f"127.0.0.1:{port}"}, printed
    verdicts = {row["case"]: row["verdict"] for row in rows}
    assert verdicts["smtp.server.leading-dots-are-removed-once[lone-dot]"] == "unsupported"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--implementation", "smtpli"], "smtplib"),
        (["--clause", "rfc5321-4.5.2-leading-dot-double"], "rfc5321-4.5.2-leading-dot-doubled"),
        (["--server", "127.0.0.1"], "HOST:PORT"),
        (["--server", "127.0.0.1:25", "--features", "startls"], "starttls"),
        (["--client", "nocolon"], "module:Class"),
    ],
    ids=["implementation", "clause", "server", "feature", "client"],
)
def test_mistaken_names_are_told_with_the_nearest(tmp_path: Path, words: list[str], hint: str) -> None:
    """A wrong word ends with exit code 2, one line and the nearest right one; nothing runs."""
    exit_code, rows, printed = run(tmp_path, *words)

    assert (exit_code, rows) == (2, []), printed
    assert hint in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--client", "foo"], 2, "--client foo: write it as module:Class"),
        (["--client", "no_such_module:Client"], 3, "No module named 'no_such_module'"),
        (["--client", "json:Client"], 3, "has no attribute 'Client'"),
        (["--client-command", "no-such-program --fast"], 3, "there is no program 'no-such-program'"),
        (["--client-command", "'"], 2, "No closing quotation"),
        (["--client-command", ""], 2, "--client-command is empty"),
        (["--server", "here"], 2, "'here' is not HOST:PORT"),
        (["--server", "127.0.0.1:1"], 3, "nothing takes a connection there (Connection refused)"),
        (["--server", "127.0.0.1:1", "--features", "startls"], 2, "did you mean starttls"),
        (["--clause", "no-such"], 2, "there is no clause called 'no-such'"),
        (["--cut", "big"], 2, "there is no cut called 'big'; there are: lines, octets, whole"),
        (["--profile", "deeper"], 2, "did you mean deep?"),
        (["--implementation", "smtplb"], 2, "did you mean smtplib"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, list) else "",
)
def test_what_cannot_be_judged_is_one_line_before_anything_starts(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    """A mistyped word, or a visitor that is not there, costs neither a server its start nor hundreds of verdicts."""
    exit_code, rows, printed = run(tmp_path, *words, "--peers", "reference")

    assert exit_code == code, printed
    assert said in printed
    assert not rows
    assert "starting" not in printed
    told, *rest = printed.splitlines()
    assert told.startswith("erle: ")
    assert all(line.startswith("  do: ") for line in rest), printed
