"""Runs one program in its own interpreter and says how it ended; given to `python -c`.

The job comes on standard input: the length of the program's text, the text, and a token. Standard
input is then empty. A full stop on file 3 says that the program begins. Only a program that comes
to its end without an exception gets the token written there, too.

The verdict hangs on that token alone, so that nothing a program assigns (to `__main__`, `builtins`,
a frame's locals) turns a failure into a pass. While the program runs the token is on the
interpreter's evaluation stack, which no frame, no module and no collector shows; an exception drops
it from there. What remains are the deceits that docs/howto/researcher.md lists.
"""

import os
import sys

sys.path[:] = filter(None, sys.path)  # not the working folder, which Python 3.10 puts first

_VERDICT = 3
_TOKEN_SIZE = 32
_LONGEST = 500


def main() -> None:
    """Read the job, run it, report, leave."""
    write, leave, getpid, flush = os.write, os._exit, os.getpid, sys.stdout.flush
    read, close = os.read, os.close
    source = _exactly(int.from_bytes(_exactly(8), "big")).decode()
    tokens = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    close(reading)
    close(writing)
    own_pid = getpid()
    namespace = _program_module().__dict__
    _allow_no_tracing()
    sys.addaudithook(_refuse)
    write(_VERDICT, b".")  # from here on it is the program's doing
    reserve = bytearray(1 << 20)  # lets a program out of memory still be reported
    failure: str | None = None
    token = b""
    try:
        code = compile(source, "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        failure = "SyntaxError" + _described(error)[len(type(error).__name__) :]
    else:
        try:
            # One expression, so that the token is in no variable before the program has ended.
            ended = read(tokens, _TOKEN_SIZE), close(tokens), exec(code, namespace)  # type: ignore[func-returns-value]
            token = ended[0]
        except BaseException as error:
            del reserve
            failure = _described(error)
            error.__traceback__ = None
    if getpid() != own_pid:
        leave(1)
    try:  # noqa: SIM105 - contextlib is slow to import
        flush()
    except BaseException:  # the program may have closed it
        pass
    if failure is None and _folder_is_gone():
        failure = "_Folder\n\n\n\nthe working folder is gone"
    if failure is None:
        write(_VERDICT, token)
        leave(0)
    write(_VERDICT, failure.encode("utf-8", "replace"))
    leave(1)


def _exactly(size: int) -> bytes:
    parts = []
    while size:
        parts.append(os.read(0, min(size, 1 << 20)))
        size -= len(parts[-1])
        if not parts[-1]:
            os._exit(1)  # the guard is gone
    return b"".join(parts)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: no tracing, by which a program could jump over its tests.

    Nothing but constants decides, and `__code__` of this file's functions is not to be replaced, so
    that the hook cannot be changed either.

    Raises:
        PermissionError: that is what the event is about.
    """
    if event in ("sys.settrace", "sys.monitoring.register_callback"):
        raise PermissionError(f"{event} is refused: a program could jump over its tests")
    if event == "object.__setattr__" and arguments[1] == "__code__":
        function: object = arguments[0]
        if function.__code__.co_filename == "<string>":  # type: ignore[attr-defined]
            raise PermissionError("the code of a function of the runner is not to be replaced")


def _allow_no_tracing() -> None:
    """Let `sys.settrace(None)` be what it is without tracing: nothing. doctest ends with it."""
    settrace = sys.settrace

    def settrace_or_refuse(function: object) -> None:
        if function is not None:
            settrace(function)  # type: ignore[arg-type]  # the audit hook refuses it

    sys.settrace = settrace_or_refuse


def _folder_is_gone() -> bool:
    """Whether the folder this process is in was deleted; its path may be too long to ask for."""
    try:
        return os.stat(".").st_nlink == 0
    except OSError:
        return True


def _program_module() -> object:
    """An empty `__main__`, which the program's names go to; no import leads to the runner's."""
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    return module


def _described(error: BaseException) -> str:
    """An exception's kind, the built-in kind it is of, error number, line and message, in lines."""
    kind = type(error)
    try:
        message = str(error)[:_LONGEST]
    except BaseException:
        message = ""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<program>":
            line = trace.tb_lineno
        trace = trace.tb_next
    builtin = next((k for k in kind.__mro__ if k.__module__ == "builtins"), kind)
    number = getattr(error, "errno", None)
    number = number if isinstance(number, int) else ""
    name = kind.__name__.replace("\n", " ")[:100]
    return f"{name}\n{builtin.__name__}\n{number}\n{'' if line is None else line}\n{message}"


main()
