"""JUnit XML: knows which verdict is a failure, an error or a skip for a program that reads JUnit.

It must not know files. The dialect is the one of Jenkins and Ant; what the dialect has no word for stands in properties.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime

from lab.judge.report import visible
from lab.judge.report.model import Model, Subject
from lab.judge.runs import Run, VerdictRow


def _text(value: str) -> str:
    """XML 1.0 (section 2.2) has no place for most controls: they are named, as on the pages."""
    return visible.text(value, keep="\n")


def _outcome(row: VerdictRow) -> str | None:
    """`error` for blocked, `failure` for anything else unexpected, `skipped` for what is expected and no pass."""
    if row.verdict == "blocked":
        return "error"
    if not row.expected:
        return "failure"
    return None if row.verdict == "pass" else "skipped"


def _properties(row: VerdictRow) -> Iterator[tuple[str, str]]:
    yield "verdict", row.verdict
    for clause in row.clauses:
        yield "clause", clause
    yield "peer", f"{row.peer} ({row.peer_kind})"
    yield "cut", row.cut
    if row.attempts is not None:
        yield "attempts", row.attempts
    if row.known is not None:
        yield "known", f"{row.known.id}: {row.known.reason}"
    for name in row.transcripts:
        yield "transcript", name


def _testcase(row: VerdictRow) -> ET.Element:
    case = ET.Element(
        "testcase",
        {
            "classname": _text(f"{row.protocol}.{row.role}.{row.implementation}"),
            "name": _text(f"{row.case} ({row.peer}, {row.cut})"),
            "time": f"{row.seconds:.3f}",
        },
    )
    properties = ET.SubElement(case, "properties")
    for name, value in _properties(row):
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    outcome = _outcome(row)
    if outcome is not None:
        first = row.reason.partition("\n")[0] or row.verdict
        said = (
            first if row.known is None or outcome != "skipped" else f"known failure {row.known.id}: {first}"
        )
        child = ET.SubElement(case, outcome, {"type": row.verdict, "message": _text(said)})
        child.text = _text("\n".join(part for part in (row.title, row.reason, row.reproduce) if part))
    return case


def _suite(subject: Subject, version: str, rows: list[VerdictRow], stamp: str | None) -> ET.Element:
    outcomes = [_outcome(row) for row in rows]
    suite = ET.Element(
        "testsuite",
        {
            "name": _text(f"{subject.protocol}.{subject.role}.{subject.name}"),
            "tests": str(len(rows)),
            "failures": str(outcomes.count("failure")),
            "errors": str(outcomes.count("error")),
            "skipped": str(outcomes.count("skipped")),
            "time": f"{sum(row.seconds for row in rows):.3f}",
        },
    )
    if stamp is not None:
        suite.set("timestamp", stamp)
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", {"name": "version", "value": _text(version)})
    suite.extend(_testcase(row) for row in rows)
    return suite


def _stamp(started: str) -> str | None:
    """The start without a zone, in UTC, as the dialect wants it; None where it cannot be read."""
    try:
        return f"{datetime.fromisoformat(started).astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    except (ValueError, OverflowError):
        return None


def junit(run: Run) -> bytes:
    """The run as JUnit XML, one suite per implementation, UTF-8."""
    model = Model(run)
    root = ET.Element("testsuites", {"name": f"erle {_text(run.id)}"})
    stamp = _stamp(run.started)
    for subject, rows in model.by_subject.items():
        if rows:
            root.append(_suite(subject, model.version(subject), rows, stamp))
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    root.set("time", f"{sum(row.seconds for row in run.verdicts):.3f}")
    ET.indent(root, " ")
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
