"""Results folders made up for tests of the reports: knows the format of `results/<run>/`, and nothing of how it is read.

The same arguments give the same folder, octet for octet.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CUTS = ("whole", "octets", "lines")
GROUPS = {
    "session": "Greeting, EHLO and HELO, QUIT, closing",
    "envelope": "MAIL, RCPT, RSET, VRFY and their arguments",
    "data": "DATA, dot-stuffing, line ends, sizes",
    "replies": "Reply codes, multiline replies, enhanced codes",
    "tls": "STARTTLS and what it forgets",
    "auth": "AUTH, its mechanisms and their failures",
}
_WORDS = (
    "greeting",
    "reply",
    "dot",
    "line",
    "sender",
    "recipient",
    "code",
    "size",
    "argument",
    "parameter",
    "domain",
    "state",
)
_DOES = (
    "is-refused",
    "is-repeated",
    "is-doubled",
    "is-kept",
    "is-forgotten",
    "is-answered",
    "is-bounded",
    "ends-the-session",
)


@dataclass
class Plan:
    """How large a made-up run is, and how it went."""

    clients: Sequence[str] = ("smtplib", "aiosmtplib", "twisted")
    servers: Sequence[str] = ("aiosmtpd", "twisted", "postfix")
    cases_per_role: int = 12
    clauses_per_role: int = 18
    cuts: Sequence[str] = CUTS
    seed: int = 1
    run: str = "20261122T173000Z-1a2b3c"
    versions: Mapping[str, str] = field(default_factory=dict)
    suite_digest: str = "5" * 64
    image: str = "sha256:" + "a" * 64
    transcripts: bool = True


def clause_rows(plan: Plan) -> list[dict[str, object]]:
    """The ledger: three in four clauses decided, the rest undecidable or a gap."""
    rows: list[dict[str, object]] = []
    for role in ("client", "server"):
        for number in range(plan.clauses_per_role):
            word, does = _WORDS[number % len(_WORDS)], _DOES[number // len(_WORDS) % len(_DOES)]
            section = f"4.{1 + number % 5}.{1 + number % 11}"
            row: dict[str, object] = {
                "id": f"rfc5321-{section}-{role}-{word}-{does}-{number}",
                "spec": "RFC 5321",
                "section": section,
                "level": ("MUST", "MUST", "SHOULD", "MUST", "MAY")[number % 5],
                "party": role,
                "group": tuple(GROUPS)[number % len(GROUPS)],
                "text": f"The {role} sees to it that the {word} {does.replace('-', ' ')} wherever the other side relies on it.",
                "undecidable": None,
                "gap": None,
                "cases": [],
            }
            if number % 8 == 6:
                row["undecidable"] = (
                    "What is done with a message after it was accepted leaves no trace on the wire."
                )
            if number % 8 == 7:
                row["gap"] = "Needs a second server that refuses mail for a day."
            rows.append(row)
    return rows


def _conversation(rng: random.Random, cut: str) -> list[dict[str, object]]:
    spoken = [
        ("server", b"220 mx.lab.example ESMTP Postfix\r\n"),
        ("client", b"EHLO client.lab.example\r\n"),
        (
            "server",
            b"250-mx.lab.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 SMTPUTF8\r\n",
        ),
        ("client", b"MAIL FROM:<a@lab.example>\r\nRCPT TO:<m\xc3\xbcller@lab.example>\r\nDATA\r\n"),
        ("server", b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"),
        (
            "client",
            b"Subject: \x80\xff\r\n\r\n"
            + b"..a line that begins with a dot\r\n" * rng.randrange(1, 5)
            + b".\r\n",
        ),
        ("server", b"250 2.0.0 Ok: queued as 4ABCDE\r\n"),
        ("client", b"QUIT\r\n"),
    ]
    events: list[dict[str, object]] = [{"t": 0.0, "from": "client", "kind": "open", "data": ""}]
    clock = 0.001
    for sender, data in spoken:
        parts = [data] if cut == "whole" else data.splitlines(keepends=True)
        if cut == "octets" and sender == "server":
            parts = [data[at : at + 1] for at in range(len(data))]
        for part in parts:
            clock += rng.uniform(0.0001, 0.002)
            events.append(
                {"t": round(clock, 6), "from": sender, "kind": "data", "data": part.decode("latin-1")}
            )
    events.append({"t": round(clock + 0.001, 6), "from": "server", "kind": "eof", "data": ""})
    return events


def write_transcript(path: Path, events: Sequence[Mapping[str, object]]) -> None:
    """A transcript file with these events."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {"client": "client", "server": "postfix", "started": "2026-11-22T17:30:01.000000+00:00"}
    path.write_text("".join(json.dumps(row) + "\n" for row in (head, *events)), "utf-8")


def verdict_row(**changes: object) -> dict[str, object]:
    """A passing row of `verdicts.jsonl` with these changes."""
    row: dict[str, object] = {
        "case": "smtp.client.leading-dot-is-doubled",
        "nodeid": "suites/smtp/test_client.py::test_leading_dot_is_doubled",
        "title": "A leading dot is doubled.",
        "protocol": "smtp",
        "role": "client",
        "clauses": [],
        "implementation": "smtplib",
        "peer": "postfix",
        "peer_kind": "reference",
        "cut": "whole",
        "verdict": "pass",
        "reason": "",
        "attempts": None,
        "seconds": 0.02,
        "transcripts": [],
        "reproduce": "",
        "known": None,
        "expected": True,
    }
    unknown = set(changes) - set(row)
    if unknown:
        raise TypeError(f"no such field: {unknown}")
    return {**row, **changes}


def _judged(rng: random.Random, implementation: str) -> dict[str, object]:
    """What became of one question: mostly a pass, sometimes each of the others."""
    chance = rng.random()
    if implementation in {"postfix", "smtplib"}:
        chance = 0.5 + chance / 2
    known = {"id": f"{implementation}-bare-lf", "reason": "Reported upstream; a bare LF ends the line."}
    table: tuple[tuple[float, dict[str, object]], ...] = (
        (
            0.03,
            {
                "verdict": "fail",
                "reason": "the line '.hidden' arrived as 'hidden': one dot was lost",
                "expected": False,
            },
        ),
        (0.06, {"verdict": "fail", "reason": "a bare LF was taken for a line end", "known": known}),
        (0.10, {"verdict": "lenient", "reason": "the reply carries no enhanced status code"}),
        (0.15, {"verdict": "unsupported", "reason": "needs smtputf8, which the catalogue does not list"}),
        (0.16, {"verdict": "blocked", "reason": "postfix was down: exit code 137", "expected": False}),
        (0.165, {"verdict": "flaky", "reason": "no reply within 5 s", "attempts": "1/3", "expected": False}),
    )
    return next((judged for below, judged in table if chance < below), {})


def verdict_rows(plan: Plan, clauses: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Every case on every implementation, in every cut; also enters the cases into the clauses."""
    rng = random.Random(plan.seed)
    rows: list[dict[str, object]] = []
    for role, names in (("client", plan.clients), ("server", plan.servers)):
        decided = [
            row for row in clauses if row["party"] == role and not row["undecidable"] and not row["gap"]
        ]
        for number in range(plan.cases_per_role):
            named = [
                decided[number % len(decided)],
                *([decided[(number * 7) % len(decided)]] if number % 4 == 0 else []),
            ]
            words = f"{_WORDS[number % len(_WORDS)]}-{_DOES[number % len(_DOES)]}-{number}"
            case = f"smtp.{role}.{words}"
            ids = sorted({str(row["id"]) for row in named})
            for row in named:
                cases = row["cases"]
                assert isinstance(cases, list)
                cases.append(case)
            for name in names:
                judged = _judged(rng, name)
                rows += [
                    verdict_row(
                        case=case,
                        nodeid=f"suites/smtp/test_{role}.py::test_{words.replace('-', '_')}[{name}-{cut}]",
                        title=f"The {words.replace('-', ' ')}.",
                        role=role,
                        clauses=ids,
                        implementation=name,
                        peer="postfix" if role == "client" else "driver",
                        peer_kind="reference" if role == "client" else "driver",
                        cut=cut,
                        seconds=round(rng.uniform(0.002, 0.2), 4),
                        reproduce=f"./erle run smtp --implementation {name} --case {case} --cut {cut}",
                        **judged,
                    )
                    for cut in plan.cuts
                ]
    return rows


def write_run(results: Path, plan: Plan | None = None, extra: Sequence[Mapping[str, object]] = ()) -> Path:
    """Make `results/<run>/` after a plan, with `extra` rows at the end; the run becomes the latest."""
    plan = plan or Plan()
    directory = results / plan.run
    directory.mkdir(parents=True)
    clauses = clause_rows(plan)
    rows = [*verdict_rows(plan, clauses), *extra]
    rng = random.Random(plan.seed)
    if plan.transcripts:
        for number, row in enumerate(rows):
            if row["verdict"] in {"blocked", "unsupported"} or row["transcripts"]:
                continue
            name = f"transcripts/{row['case']}-{number:05}.jsonl"
            write_transcript(directory / name, _conversation(rng, str(row["cut"])))
            rows[number] = {**row, "transcripts": [name]}
    implementations = {}
    for role, names in (("client", plan.clients), ("server", plan.servers)):
        for name in names:
            implementations[f"smtp.{role}.{name}"] = {
                "name": name,
                "protocol": "smtp",
                "role": role,
                "library": {"smtplib": "python"}.get(name, name),
                "version": plan.versions.get(name, "1.4.6"),
                "entry": f"implementations.smtp.{name}_{role}",
                "features": ["auth-plain", "starttls"],
                "digest": "d" * 64,
            }
    record = {
        "schema": 1,
        "id": plan.run,
        "started": "2026-11-22T17:30:00+00:00",
        "finished": "2026-11-22T17:30:41+00:00",
        "host": {"system": "Linux", "kernel": "6.1.0", "machine": "x86_64", "cpus": 2, "python": "3.11.7"},
        "command": ["erle", "run", "smtp"],
        "version": "0.1.0",
        "exit": 1 if any(not row["expected"] for row in rows) else 0,
        "interrupted": False,
        "seed": 0,
        "profile": "quick",
        "engine": {"name": "docker", "version": "27.1", "endpoint": "unix:///var/run/docker.sock"},
        "suites": {"smtp": {"digest": plan.suite_digest, "groups": GROUPS, "clauses": clauses}},
        "implementations": implementations,
        "peers": {
            "postfix": {"kind": "reference", "version": "3.7.11", "image": plan.image},
            "driver": {"kind": "driver", "version": "0.1.0", "image": None},
        },
        "controls": [
            {"name": "test_mail_arrives", "when": "opening", "held": True, "detail": ""},
            {"name": "test_a_lost_dot_is_seen", "when": "closing", "held": True, "detail": ""},
        ],
        "left_out": ["arm: the board was not asked for"],
        "stale_notes": [],
    }
    (directory / "verdicts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (directory / "run.json").write_text(json.dumps(record, indent=1), "utf-8")
    (results / "latest").write_text(plan.run + "\n", "utf-8")
    return directory
