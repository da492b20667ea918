"""A thread's OpenMP workers end when they are released, and start again when they are needed."""

import os
import platform
import time
from collections.abc import Iterator

import pytest
import torch

from fggm_lab.workers import release_workers


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's OpenMP is meant")
@pytest.mark.usefixtures("three_threads")
def test_released_workers_end_and_start_again() -> None:
    numbers = torch.linspace(0, 1, 1_000_000)
    expected = numbers.exp()
    working = threads()
    assert release_workers()
    deadline = time.monotonic() + 10
    while threads() > working - 2:
        assert time.monotonic() < deadline, f"still {threads()} threads of {working}"
        time.sleep(0.01)
    assert torch.equal(numbers.exp(), expected)
    assert threads() > working - 2
    assert release_workers() and release_workers()
