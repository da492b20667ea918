"""The filter's decisions, by an interpreter of classic BPF, for both architectures."""

import errno
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import fggm_lab.tasks.code

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")

MACHINES = ("x86_64", "aarch64")
PID = 4711
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.fixture(scope="module")
def filtering() -> Iterator[ModuleType]:
    """The guard's module, imported as the guard imports it: by its folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(fggm_lab.tasks.code.__file__).parent / "guard"))
        import system_calls

        yield system_calls
        for name in ("system_calls", "linux"):
            sys.modules.pop(name, None)


class Kernel:
    """Answers calls by the filter, as seccomp(2) says it runs."""

    def __init__(self, filtering: ModuleType, machine: str, children: bool = False) -> None:
        self.numbers = filtering.REFUSED | filtering.ABSENT | filtering.LIMITED
        self.column = MACHINES.index(machine)
        self.arch = filtering.AUDIT_ARCH[machine]
        self.instructions = filtering.program(machine, PID, children)

    def call(self, name: str, *arguments: int) -> int:
        """The error number of a call by name; 0 where it is allowed."""
        return self.answer(self.numbers[name][self.column], *arguments)

    def answer(self, number: int, *arguments: int, arch: int | None = None) -> int:
        """The error number of a call by number."""
        words = {0: number, 4: self.arch if arch is None else arch}
        for index, argument in enumerate(arguments):
            words[16 + 8 * index] = argument & 0xFFFFFFFF
            words[20 + 8 * index] = argument >> 32 & 0xFFFFFFFF
        accumulator, at = 0, 0
        while True:
            code, true, false, constant = self.instructions[at]
            at += 1
            if code == 0x06:
                assert constant == 0x7FFF0000 or constant >> 16 == 5, "neither allow nor errno"
                return 0 if constant == 0x7FFF0000 else constant & 0xFFFF
            if code == 0x20:
                accumulator = words.get(constant, 0)
                continue
            holds = {0x15: accumulator == constant, 0x35: accumulator >= constant}.get(
                code, bool(accumulator & constant)
            )
            at += true if holds else false


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_is_refused_and_every_other_allowed(
    filtering: ModuleType, machine: str
) -> None:
    kernel = Kernel(filtering, machine)
    refused = {
        numbers[kernel.column]: error
        for calls, error in ((filtering.REFUSED, errno.EPERM), (filtering.ABSENT, errno.ENOSYS))
        for numbers in calls.values()
    }
    limited = {numbers[kernel.column] for numbers in filtering.LIMITED.values()}
    for number in set(range(470)) - limited:
        assert kernel.answer(number, PID, 0, 0) == refused.get(number, 0), number


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_decide_where_a_call_has_harmless_uses(
    filtering: ModuleType, machine: str
) -> None:
    kernel = Kernel(filtering, machine)
    assert [kernel.call("socket", family) for family in (1, 2, 10, 16)] == 4 * [errno.ENETUNREACH]
    assert [kernel.call("socketpair", f) for f in (1, 2)] == [0, errno.EPERM]
    assert [kernel.call("kill", pid) for pid in (PID, 0, 1)] == [0, 0, errno.EPERM]
    assert kernel.call("kill", -1 & 2**64 - 1) == errno.EPERM
    assert [kernel.call("tgkill", pid, 5) for pid in (PID, 1)] == [0, errno.EPERM]
    assert [kernel.call("prlimit64", pid) for pid in (0, PID, 1)] == [0, 0, errno.EPERM]
    assert [kernel.call("fcntl", 3, command) for command in (1, 4, 1031)] == [0, 0, errno.EPERM]


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_always_processes_if_allowed_namespaces_never(
    filtering: ModuleType, machine: str
) -> None:
    thread, process = 0x3D0F00, 17  # what glibc passes for a thread; SIGCHLD
    alone, parent = (Kernel(filtering, machine, children) for children in (False, True))
    assert [alone.call("clone", flags) for flags in (thread, process)] == [0, errno.EAGAIN]
    assert [parent.call("clone", flags) for flags in (thread, process)] == [0, 0]
    for bit in (17, 25, 26, 27, 28, 29, 30):
        for kernel in (alone, parent):
            assert kernel.call("clone", 1 << bit | thread) == errno.EPERM
    if machine == "x86_64":
        assert [k.call("vfork") for k in (alone, parent)] == [errno.EAGAIN, 0]


@pytest.mark.parametrize("machine", MACHINES)
def test_other_numberings_of_the_calls_are_no_way_round(
    filtering: ModuleType, machine: str
) -> None:
    kernel = Kernel(filtering, machine)
    assert kernel.answer(0, arch=0x40000003) == errno.ENOSYS  # i386's
    assert kernel.answer(0x40000000 | 319) == errno.ENOSYS  # x32's


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_the_kernels(filtering: ModuleType, machine: str) -> None:
    header = HEADERS[machine]
    if not header.is_file():
        pytest.skip(f"no {header} here")
    text = header.read_text(encoding="utf-8")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)
    numbers = {name: int(number) for name, number in defined}
    column = MACHINES.index(machine)
    for name, columns in (filtering.REFUSED | filtering.ABSENT | filtering.LIMITED).items():
        assert columns[column] == numbers.get(name, columns[column]), name  # a header may be older
