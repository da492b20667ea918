"""What a program that is shut in may not ask of the kernel: a seccomp filter in classic BPF.

Refused is what reaches beyond a program's limits (memory that no limit counts, other processes,
sockets) or what only enlarges the kernel's surface (namespaces, io_uring, BPF). A refused call
fails with an error number, as a kernel that lacks the call or the right would answer; it does not
end the program. Linux on x86-64 and aarch64 only: the numbers of the calls differ by architecture.

Standard library only: the guard runs without the project's packages.
"""

import ctypes
import errno
import os
import sys

from linux import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    CLONE_THREAD,
    PR_SET_SECCOMP,
    libc,
)

TYPE_CHECKING = False  # as in typing, without importing it
if TYPE_CHECKING:
    Instruction = tuple[int, int, int, int]
    """Operation, jump if true, jump if false, constant: `struct sock_filter`."""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""How the kernel names the architectures whose numbers are known here."""

_COLUMN = {"x86_64": 0, "aarch64": 1}

REFUSED = {
    # Memory that neither the limit of the address space nor that of the working folder counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "vmsplice": (278, 75),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Namespaces and mounts, in which a program could become root.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # Other processes of the same user.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    # Large parts of the kernel that no test of a function needs.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
}
"""Calls that fail with EPERM: name → number on x86-64 and on aarch64 (None: it has none)."""

ABSENT = {
    # Programs fall back to the older call, whose arguments a filter can read.
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
}
"""Calls that fail with ENOSYS, likewise."""

LIMITED = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "clone": (56, 220),
    "fork": (57, None),
    "vfork": (58, None),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "prlimit64": (302, 261),
    "fcntl": (72, 25),
}
"""Calls of which some arguments are refused, likewise."""

NAMESPACES = (
    CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET
)

_X32 = 0x40000000
"""From here on x86-64 numbers the calls of its 32-bit pointers, which would go round the list."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Where `struct seccomp_data` has them; 8 bytes for each argument, the low half first."""

_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_AF_UNIX, _F_SETPIPE_SZ = 1, 1031
_MODE_FILTER = 2


def available() -> bool:
    """Whether this machine's calls are known here and its kernel takes filters."""
    if os.uname().machine not in AUDIT_ARCH or sys.maxsize < 1 << 32:
        return False
    # A filter that is nowhere: EFAULT where filters exist, EINVAL where they do not.
    libc.prctl(PR_SET_SECCOMP, _MODE_FILTER, None)
    return ctypes.get_errno() == errno.EFAULT


def install(children: bool) -> None:
    """Put this process and all that it starts behind the filter; nothing takes it away again.

    Args:
        children: whether the program may start processes.

    Raises:
        OSError: the kernel refuses; `gain_nothing_by_exec` must have come first.
    """
    instructions = program(os.uname().machine, os.getpid(), children)
    array = (_Instruction * len(instructions))(*(_Instruction(*fields) for fields in instructions))
    if libc.prctl(PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(len(array), array))) != 0:
        raise OSError(ctypes.get_errno(), "seccomp: " + os.strerror(ctypes.get_errno()))


def program(machine: str, pid: int, children: bool) -> "list[Instruction]":
    """The filter's instructions.

    Args:
        machine: the architecture, a key of `AUDIT_ARCH`.
        pid: the program's process number, the only one it may signal unless it has children.
        children: whether it may start processes.

    Returns:
        Instructions of classic BPF over `struct seccomp_data`.
    """
    column = _COLUMN[machine]
    bodies = {name: [_error(errno.EPERM)] for name in REFUSED}
    bodies |= {name: [_error(errno.ENOSYS)] for name in ABSENT}
    bodies["socket"] = [_error(errno.ENETUNREACH)]
    bodies["socketpair"] = _only(0, [_AF_UNIX], errno.EPERM)  # asyncio wakes itself by one
    bodies["prlimit64"] = _only(0, [0, pid], errno.EPERM)
    bodies["fcntl"] = _never(1, _F_SETPIPE_SZ, errno.EPERM)  # 16 times the memory in every pipe
    bodies["tkill"] = [_error(errno.EPERM)]
    bodies["clone"] = _clone(children)
    if not children:
        bodies["kill"] = _only(0, [0, pid], errno.EPERM)
        bodies["tgkill"] = _only(0, [pid], errno.EPERM)
        bodies["fork"] = bodies["vfork"] = [_error(errno.EAGAIN)]
    numbers = REFUSED | ABSENT | LIMITED
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        _error(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        _error(errno.ENOSYS),
    ]
    for name, body in bodies.items():
        number = numbers[name][column]
        if number is not None:
            instructions += [(_EQUAL, 0, len(body), number), *body]
    return [*instructions, (_RETURN, 0, 0, _ALLOW)]


def _error(number: int) -> "Instruction":
    return (_RETURN, 0, 0, _ERROR | number)


def _argument(index: int) -> "Instruction":
    """Load the low half of an argument; all that are looked at have 32 bits in the kernel."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _only(index: int, values: list[int], error: int) -> "list[Instruction]":
    tests = [(_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    return [_argument(index), *tests, _error(error), (_RETURN, 0, 0, _ALLOW)]


def _never(index: int, value: int, error: int) -> "list[Instruction]":
    return [_argument(index), (_EQUAL, 0, 1, value), _error(error), (_RETURN, 0, 0, _ALLOW)]


def _clone(children: bool) -> "list[Instruction]":
    """Threads always, processes only where children are allowed, namespaces never."""
    threads_only = [(_ANY_BIT, 1, 0, CLONE_THREAD), _error(errno.EAGAIN)]
    return [
        _argument(0),
        (_ANY_BIT, 0, 1, NAMESPACES),
        _error(errno.EPERM),
        *([] if children else threads_only),
        (_RETURN, 0, 0, _ALLOW),
    ]


class _Instruction(ctypes.Structure):
    """Linux's `struct sock_filter`."""

    _fields_ = [
        ("code", ctypes.c_uint16),
        ("true", ctypes.c_uint8),
        ("false", ctypes.c_uint8),
        ("constant", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    """Linux's `struct sock_fprog`."""

    _fields_ = [("size", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction))]
