"""Tests of the stress command of the browser tests: reports and busy loops."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from browser import stress

REPORT = """\
<testsuites><testsuite>
<testcase classname="tests.browser.test_a" name="test_good"/>
<testcase classname="tests.browser.test_a" name="test_bad"><failure message="no"/></testcase>
<testcase classname="tests.browser.test_a" name="test_bad"><error message="teardown"/></testcase>
<testcase classname="tests.browser.test_a" name="test_left_out"><skipped/></testcase>
</testsuite></testsuites>
"""


def test_read_report_returns_passed_and_failed_tests(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    assert stress.read_report(path) == (1, ("test_a::test_bad",))


def test_busy_loops_end_with_their_block() -> None:
    before = set(psutil.Process().children())
    with stress.busy_loops(2):
        loops = set(psutil.Process().children()) - before
        assert len(loops) == 2
    assert not any(process.is_running() for process in loops)


def test_a_busy_loop_ends_when_its_parent_was_killed() -> None:
    code = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, '-c', {stress.BUSY_LOOP!r}, str(os.getpid())]\n"
        "print(subprocess.Popen(command).pid, flush=True)\n"
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        loop = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while not _has_ended(loop):
        assert time.monotonic() < end
        time.sleep(0.1)


def _has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE  # its parent may not have waited for it yet
    except psutil.NoSuchProcess:
        return True
