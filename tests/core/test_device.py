"""Settings of the process that computes."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import ctypes, resource, sys
from clbench.core.device import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
size = 8 << 20

def use():
    blocks = [libc.malloc(size) for _ in range(8)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks:
        libc.free(block)

if sys.argv[1] == "keep":
    keep_freed_memory()
use()
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    use()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / (5 * 8 * size))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_what_is_allocated_takes_the_memory_that_was_freed():
    def share_of_new_pages(how: str) -> float:
        done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
        return float(done.stdout)

    assert share_of_new_pages("return") > 0.5
    assert share_of_new_pages("keep") < 0.1
