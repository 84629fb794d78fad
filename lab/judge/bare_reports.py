"""Reports of failed tests without tracebacks, for runs in which nobody reads them.

Knows pytest's report. Working out the source lines of a failure costs more than most
cases do; the verdict's reason, its transcript and its command say what is needed.
"""

from __future__ import annotations

import pytest


class BareReports:
    """A plugin: a test that raised is reported with the exception alone."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport | None:
        """Make the report of a test that raised; all others are pytest's own business."""
        if call.excinfo is None:
            return None
        return pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords=dict.fromkeys(item.keywords, 1),
            outcome="failed",
            longrepr=call.excinfo.exconly(),
            when=call.when,  # type: ignore[arg-type]  # a test's phases: setup, call, teardown
            duration=call.duration,
            start=call.start,
            stop=call.stop,
            user_properties=item.user_properties,
        )
