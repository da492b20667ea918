"""The peak is that of what happened since it was last forgotten."""

import mmap
import sys

import pytest
import torch

from fggm_lab.training.peak_memory import forget_peak, peak_mb

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a peak that can be reset")
def test_a_peak_is_seen_afterwards_and_can_be_forgotten() -> None:
    forget_peak(CPU)
    before = peak_mb(CPU)
    # Pages straight from the system: an array could reuse memory that the process holds already.
    with mmap.mmap(-1, 2**27) as pages:  # 128 MiB
        pages[:: mmap.PAGESIZE] = bytes(len(pages) // mmap.PAGESIZE)
    grown = peak_mb(CPU)
    assert grown - before > 100
    forget_peak(CPU)
    assert peak_mb(CPU) < grown - 100


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpus_peak_can_be_forgotten() -> None:
    device = torch.device("cuda")
    held = torch.ones(2**25, device=device)  # 128 MiB
    del held
    grown = peak_mb(device)
    forget_peak(device)
    assert peak_mb(device) < grown - 100
