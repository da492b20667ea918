"""Runs one program in its own interpreter and says how it ended; given to `python -c`.

The job comes on standard input: the program's text and a token. Standard input is then empty. A
full stop on file 3 says that the program begins. Only a program that comes to its end without an
exception gets the token written there, too. Until then it lies in a local variable of this file,
out of the program's text and names; a program that searches the interpreter's own frames could find
it, as it could find the tests.
"""

import marshal
import os
import sys

sys.path[:] = filter(None, sys.path)  # not the working folder, which Python 3.10 puts first

_VERDICT = 3
_LONGEST = 500


def main() -> None:
    """Read the job, run it, report, leave."""
    write, leave, getpid, flush = os.write, os._exit, os.getpid, sys.stdout.flush
    with open(0, "rb", closefd=False) as file:
        job = marshal.loads(file.read())
    token, source = job["token"].encode(), job["source"]
    del job
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    os.close(writing)
    own_pid = getpid()
    write(_VERDICT, b".")  # from here on it is the program's doing
    reserve = bytearray(1 << 20)  # lets a program out of memory still be reported
    failure: str | None = None
    try:
        failure = _run(source)
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


def _folder_is_gone() -> bool:
    """Whether the folder this process is in was deleted; its path may be too long to ask for."""
    try:
        return os.stat(".").st_nlink == 0
    except OSError:
        return True


def _run(source: str) -> str | None:
    """Run the text as a module named `program`; what is wrong with its grammar, or None."""
    module = type(sys)("program")
    sys.modules["program"] = module
    try:
        code = compile(source, "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return "SyntaxError" + _described(error)[len(type(error).__name__) :]
    exec(code, module.__dict__)
    return None


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
