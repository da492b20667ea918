"""A few processes that meet through gloo, as a launcher starts them."""

import os
import socket
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

SECONDS = 600
"""After how long a test's processes are taken to hang."""


def on_ranks(work: Callable[..., Any], folder: Path, *arguments: Any, world_size: int = 2) -> None:
    """Call a function in processes of one launch, each with torch's variables set.

    Args:
        work: called as `work(folder, *arguments)`; a function of a module.
        folder: where it leaves what the test looks at.
        arguments: further ones, which can be pickled.
        world_size: how many processes.

    Raises:
        AssertionError: one of them failed or did not end in time.
    """
    context = get_context("spawn")
    port = free_port()
    processes = [
        context.Process(target=_work, args=(work, rank, world_size, port, folder, *arguments))
        for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(SECONDS)
        assert [process.exitcode for process in processes] == [0] * world_size
    finally:
        for process in processes:
            process.kill()


def _work(
    work: Callable[..., Any], rank: int, world_size: int, port: int, folder: Path, *arguments: Any
) -> None:
    os.environ.update(launch_variables(rank, world_size, port))
    torch.set_num_threads(1)
    work(folder, *arguments)
    if dist.is_initialized():
        dist.destroy_process_group()


def launch_variables(rank: int, world_size: int, port: int) -> dict[str, str]:
    """What a launcher sets for one of its processes."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world_size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
