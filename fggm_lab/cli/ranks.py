"""The command line in the processes of one launch: rank 0 prints, and an error is said once."""

import os
import signal
import sys
import time
import warnings
from types import FrameType

from fggm_lab.cli.console import console, tell
from fggm_lab.errors import LabError, RankError, SettingError
from fggm_lab.launch import check_launch, launched_rank, launched_world_size

_GRACE = 30.0
"""Seconds in which rank 0 is to have said what is wrong."""

PARALLEL = ("run",)
"""The commands that share their work among the processes of a launch."""


def quiet_unless_main() -> None:
    """Print nothing on the ranks but 0; their errors are another matter."""
    if launched_rank() > 0:
        console.quiet = True
        warnings.simplefilter("ignore")


def check_command(name: str | None) -> None:
    """Refuse a command that every process would do by itself.

    Args:
        name: the command's.

    Raises:
        SettingError: it shares no work, and several processes were launched.
    """
    if launched_world_size() > 1 and name not in PARALLEL:
        raise SettingError(
            f"fggm-lab {name} runs in one process, and {launched_world_size()} were launched; "
            f"call it without torchrun (in several: fggm-lab {', '.join(PARALLEL)})"
        )


def meet(jobs: int, device: str | None) -> None:
    """Meet the other processes of a launch, before anything is loaded.

    Args:
        jobs: how many methods are to be trained at the same time.
        device: where to train, if that was given.

    Raises:
        SettingError: the launch configuration, `jobs` or `device` cannot be used in several
            processes.
    """
    check_launch()
    if launched_world_size() == 1:
        return
    if device is not None and ":" in device:
        raise SettingError(
            f"--device {device} names one GPU for all {launched_world_size()} processes of this "
            f"launch; give --device {device.partition(':')[0]}, and each gets its own"
        )
    if jobs > 1:
        raise SettingError(
            f"--jobs {jobs} trains methods side by side, and the {launched_world_size()} processes "
            "of this launch share the work of one; leave one of the two out"
        )
    from fggm_lab.distributed import join

    signal.signal(signal.SIGTERM, _end)
    join()


def _end(number: int, frame: FrameType | None) -> None:
    end_with(  # at once: an exception might be caught on its way
        RankError(
            "the launcher has ended this process, as it does when another one fails; see what that "
            "says, and go on with --resume"
        )
    )


def part() -> None:
    """Leave the other processes, the work being done."""
    if launched_world_size() > 1:
        from fggm_lab.distributed import leave

        leave()


def end_with(error: LabError) -> None:
    """Say an error, unless another process has said the same, and end with status 2.

    What goes wrong before the processes have met goes wrong in all of them: rank 0 says it, and the
    launcher then ends the others. One that ended at once would have rank 0 ended before it speaks.

    Args:
        error: what a user can mend.
    """
    if launched_world_size() == 1:
        tell(f"error: {error}", err=True)
        sys.exit(2)
    from fggm_lab.distributed import has_joined, is_first_to_say

    if not has_joined() and launched_rank() > 0:
        time.sleep(_GRACE)
    if not has_joined() or is_first_to_say(error):
        tell(f"error: {error}", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)  # a process that waits for one that has ended may never come to its end
