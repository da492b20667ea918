"""Freed memory stays with the process once asked to; a user's own tuning is respected."""

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, psutil
from fggm_lab.heap import keep_freed_memory
if {keep}: assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
blocks = (ctypes.c_void_p * 1000)()  # allocated first: nothing may come to lie above the blocks
start = psutil.Process().memory_info().rss
for i in range(1000): blocks[i] = libc.malloc(100_000)
for block in blocks: libc.memset(block, 1, 100_000)
for block in blocks: libc.free(block)
print(psutil.Process().memory_info().rss - start)
"""


def held(keep: bool) -> int:
    """Bytes a process still holds after it took and freed 100 MB."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(keep=keep)], capture_output=True, text=True, check=True
    )
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc is meant")
def test_freed_memory_is_kept_only_when_asked() -> None:
    assert held(keep=True) > 90e6 > 50e6 > held(keep=False)


def test_a_users_own_tuning_stays() -> None:
    code = "from fggm_lab.heap import keep_freed_memory; print(keep_freed_memory())"
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "131072"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert run.stdout.strip() == "False"
