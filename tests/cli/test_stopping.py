"""Signals while the main thread computes, and where they meet what other handlers do."""

import signal
import subprocess
import sys
import textwrap
import time

import pytest

from clbench.cli.stopping import LINE

SWALLOWED = """
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""
CONVERTED = """
try:
    time.sleep(60)
except BaseException:
    raise ImportError("odd") from None
"""
BODIES = {
    "a wait": "time.sleep(60)",
    "an interruption that is swallowed": SWALLOWED,
    "an interruption that becomes another error": CONVERTED,
    "a computation": "sum(x for x in iter(int, 1))",
    "one step of the interpreter": "hashlib.pbkdf2_hmac('sha512', b'x', b'y', 10**9)",
}


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("body", BODIES)
def test_a_signal_ends_a_command_with_one_line_and_its_status(body, by, tmp_path):
    script = "import hashlib, sys, time\nimport clbench.cli as cli, clbench.cli.list as command\n"
    script += "def main(words):\n    print('there', flush=True)\n" + textwrap.indent(BODIES[body], "    ")
    script += "\ncommand.main = main\nsys.argv = ['clbench', 'list']\nsys.exit(cli.main())\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "there\n"
    began = time.monotonic()
    process.send_signal(by)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + by
    assert said == LINE
    assert time.monotonic() - began < 10  # seconds of a machine that may be busy; the limit itself is two
