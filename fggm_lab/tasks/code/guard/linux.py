"""The Linux calls that shut a program in, by ctypes; Python 3.11 has no words of its own for them.

Standard library only: the guard runs without the project's packages.
"""

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWCGROUP = 0x02000000
CLONE_THREAD = 0x00010000
PR_SET_SECCOMP = 22

_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_PR_SET_DUMPABLE = 4
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture, since Linux 5.12
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_READ_ONLY, _NO_SETUID = 0x1, 0x2

libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _checked(libc.unshare(flags), "unshare")


def become_unprivileged_root_of_own_namespace(uid: int, gid: int) -> None:
    """In a new user namespace: be user 1000 there, and `uid`, `gid` outside."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"1000 {uid} 1"),
        ("gid_map", f"1000 {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")  # no namespace inside this one, in which the program would be root


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _checked(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def hide_memory() -> None:
    """No other process of this user reads this one's memory through /proc."""
    _checked(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl")


def die_with_parent(signal: int) -> None:
    """Get this signal when the parent ends."""
    _checked(libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")


def gain_nothing_by_exec() -> None:
    """No set-uid program gives this process or its children more rights."""
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def enter_small_root(
    folder: str, shown: list[str], owner: int, group: int, size: int, files: int
) -> None:
    """Make a memory file system the root: it shows some folders, read-only, and an empty `/work`.

    Args:
        folder: an empty folder to build it on, in this mount namespace alone.
        shown: the folders to show at their own paths; a symbolic link is copied as one.
        owner: the user who may write to it, as a number in this user namespace.
        group: the group that may, likewise.
        size: the most bytes it may hold.
        files: the most files it may hold.
    """
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={size},nr_inodes={files}")
    for path in shown:
        mount_point = folder + path
        if os.path.islink(path):
            os.symlink(os.readlink(path), mount_point)
            continue
        os.makedirs(mount_point)
        _mount(path, mount_point, None, _MS_BIND | _MS_REC)
        _protect(mount_point)
    os.mkdir(f"{folder}/dev")
    os.close(os.open(f"{folder}/dev/null", os.O_CREAT | os.O_WRONLY, 0o666))
    _mount("/dev/null", f"{folder}/dev/null", None, _MS_BIND)
    os.mkdir(f"{folder}/work")
    for mount_point in (folder, f"{folder}/work"):
        os.chown(mount_point, owner, group)
        os.chmod(mount_point, 0o755)
    os.chdir(folder)
    _checked(libc.pivot_root(b".", b"."), "pivot_root")
    _checked(libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/work")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    result = libc.mount(
        source.encode(),
        target.encode(),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _checked(result, f"mount {target}")


class _Attributes(ctypes.Structure):
    """Linux's `struct mount_attr`."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def _protect(mount_point: str) -> None:
    """Make what is mounted at `place`, and below it, read-only and its set-uid programs plain."""
    attributes = _Attributes(set=_READ_ONLY | _NO_SETUID)
    result = libc.syscall(
        _SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        mount_point.encode(),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    _checked(result, f"mount_setattr {mount_point}")
