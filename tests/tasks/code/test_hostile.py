"""A list of hostile programs: none passes, none reaches what it must not, none holds too much."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.tasks.code import Isolation, Limits, Outcome, isolation, run_programs, sandbox
from tests.support.hostile import DECEITS, HOARDS, HOLD_MEMORY, REACHING, SHARED_HOARD

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's kernel")

MIB = 1 << 20
QUICK = Limits(seconds=2.0)
SMALL = Limits(seconds=5.0, memory=160 * MIB, disk=16 * MIB, processes=4, open_files=16)
FALSE = "\nassert False, 'the tests'"


@pytest.fixture(scope="module", params=sandbox._plans() if sys.platform == "linux" else [])
def protection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Isolation]:
    """Every plan that can be tried here in turn; working folders lie in a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        os.chmod(tempfile.gettempdir(), 0o711)
        patch.setattr(sandbox, "_plans", lambda: [request.param])
        isolation.cache_clear()
        try:
            yield isolation()
        except SettingError as error:
            pytest.skip(str(error))
        finally:
            isolation.cache_clear()


def _ran(programs: dict[str, str], limits: Limits = QUICK) -> dict[str, Outcome]:
    outcomes = run_programs([text + FALSE for text in programs.values()], limits=limits, allow=True)
    return dict(zip(programs, outcomes, strict=True))


def test_no_deceit_passes(protection: Isolation) -> None:
    outcomes = _ran(DECEITS)
    assert [name for name, outcome in outcomes.items() if outcome.passed] == []
    assert [name for name, outcome in outcomes.items() if "ESCAPED" in outcome.output] == []


def test_nothing_is_left_in_the_folder_of_temporary_files(protection: Isolation) -> None:
    _ran({"deep": "import os\nos.makedirs('a/b/c')\nos.symlink('/', 'a/root')\nos.chmod('a', 0)"})
    assert os.listdir(tempfile.gettempdir()) == []


def test_the_filter_is_in_force_where_its_calls_are_known(protection: Isolation) -> None:
    assert protection.filtered_calls == (os.uname().machine in ("x86_64", "aarch64"))
    shut = protection.plan == "namespaces"
    assert protection.memory_in_sum == (shut and protection.filtered_calls)


def test_the_kernel_refuses_what_a_program_must_not_have(protection: Isolation) -> None:
    if not protection.filtered_calls:
        pytest.skip("no filter of system calls here")
    outcomes = _ran(REACHING)
    assert [name for name, outcome in outcomes.items() if "ESCAPED" in outcome.output] == []
    assert [name for name, outcome in outcomes.items() if outcome.passed] == []
    assert {outcome.reason for outcome in outcomes.values()} <= {
        "wrong answer", "no network", "too many processes", "exception PermissionError",
        "exception AttributeError",  # a call that this Python does not know
        "exception ProcessLookupError",
    }  # fmt: skip


def test_what_honest_programs_need_is_allowed(protection: Isolation) -> None:
    honest = [
        "import asyncio\nasync def f(): return 3\nassert asyncio.run(f()) == 3",
        "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
        "import random, tempfile, time\ntempfile.TemporaryFile().write(b'x')\ntime.sleep(0)",
        "import os, signal\nsignal.signal(signal.SIGUSR1, print)\n"
        "os.kill(os.getpid(), signal.SIGUSR1)",
        "import ctypes\nassert ctypes.c_int8(200).value == -56",
        "import collections, dataclasses, enum, functools, typing",
    ]
    assert [o.reason for o in run_programs(honest, limits=QUICK, allow=True)] == ["passed"] * 6
    child = ["import subprocess\nassert subprocess.run(['/bin/true']).returncode == 0"]
    (outcome,) = run_programs(child, limits=Limits(children=True), allow=True)
    assert outcome.passed


@pytest.mark.parametrize("name", HOARDS)
def test_memory_and_files_together_stay_within_the_limit(protection: Isolation, name: str) -> None:
    if not protection.memory_in_sum:
        pytest.skip("the sum of memory and files is not bounded here")
    text = f"mib = 0\n{HOARDS[name]}{HOLD_MEMORY}"
    (outcome,) = run_programs([text], limits=SMALL, allow=True)
    assert SMALL.memory / MIB / 2 < float(outcome.output) <= SMALL.memory / MIB


def test_memory_of_all_children_together_stays_within_the_limit(protection: Isolation) -> None:
    if not protection.process_limit:
        pytest.skip("the number of processes is not bounded here")
    limits = Limits(seconds=5.0, memory=400 * MIB, processes=4, children=True)
    (outcome,) = run_programs([SHARED_HOARD], limits=limits, allow=True)
    assert 0 < float(outcome.output) <= limits.memory / MIB


def test_nothing_is_written_outside(protection: Isolation, tmp_path: Path) -> None:
    if not protection.own_files:
        pytest.skip("what the user may write is within reach here")
    tmp_path.chmod(0o777)
    outside = tmp_path / "outside"
    ways = {
        "open": f"open('{outside}', 'w')",
        "link": f"import os\nos.symlink('{outside}', 'link')\nopen('link', 'w')",
        "hard link": "import os\nos.link('/dev/null', 'copy')\nos.rename('copy', '/dev/other')",
        "upwards": f"import os\nos.chdir('../../../../..')\nopen('.{outside}', 'w')",
        "interpreter": "import os\nopen(os.__file__, 'a')",
    }
    outcomes = _ran(ways)
    assert {outcome.reason.partition(" ")[0] for outcome in outcomes.values()} == {"exception"}
    assert list(tmp_path.iterdir()) == []
