"""The search index of the HTML folder: knows what can be found and where it stands.

It must not know how the page searches; that is `assets/report.js`.
"""

from __future__ import annotations

import json

from lab.judge.report import links, visible
from lab.judge.report.lines import lines
from lab.judge.report.model import Model

_LONGEST = 160


def entries(model: Model) -> list[tuple[str, str, str, str]]:
    """Everything that can be found: kind, name, what is said of it, address within the folder."""
    found: list[tuple[str, str, str, str]] = []
    for subject in model.by_subject:
        said = f"{subject.protocol} {subject.role} {model.version(subject)}"
        found.append(("implementation", subject.name, said, links.subject_page(subject)))
    for clause in model.clauses.values():
        said = f"{clause.spec} §{clause.section} {clause.level} {clause.party}: {clause.text}"
        found.append(("clause", clause.id, said, links.clause_page(clause.id)))
    for case, verdicts in model.by_case.items():
        found.append(("case", case, verdicts[0].title, links.case_page(case)))
        for line in lines(v for v in verdicts if v.verdict != "pass" or not v.expected):
            said = f"{line.first.verdict}: {line.first.reason}"
            address = links.case_page(case, line.subject)
            found.append(("verdict", f"{line.subject.name} · {case}", said, address))
    return found


def script(model: Model) -> str:
    """The index as a script, so that it can be loaded from a page opened as a file."""
    rows = [
        [kind, visible.text(name), visible.text(said)[:_LONGEST], address]
        for kind, name, said, address in dict.fromkeys(entries(model))
    ]
    # Only ASCII and no `<`: nothing in it can end a script element or a line of JavaScript.
    text = json.dumps(rows, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f"erleIndex({text});\n"
