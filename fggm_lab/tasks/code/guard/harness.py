"""Runs one program in its own interpreter and says how it ended; given to `python -c`.

The job comes on standard input: the program's text and a token. Standard input is then empty. Only
a program that came to its end without an exception gets the token written to file 3. Until then it
lies in a local variable of this file, out of the program's text and names; a program that searches
the interpreter's own frames could find it, as it could find the tests.
"""

import contextlib
import json
import os
import sys
import types
from typing import Any

_VERDICT = 3
_LONGEST = 500


def main() -> None:
    """Read the job, run it, report, leave."""
    write, leave, getpid, flush = os.write, os._exit, os.getpid, sys.stdout.flush
    with open(0, "rb", closefd=False) as file:
        job = json.loads(file.read())
    token, source = job["token"].encode(), job["source"]
    del job
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    os.close(writing)
    here = getpid()
    reserve = bytearray(1 << 20)  # lets a program out of memory still be reported
    found: dict[str, Any] | None = None
    try:
        found = _run(source)
    except BaseException as error:
        del reserve
        found = _told(error)
        error.__traceback__ = None
    if getpid() != here:
        leave(1)
    with contextlib.suppress(BaseException):  # the program may have closed it
        flush()
    if found is None:
        try:
            os.stat(os.getcwd())
        except OSError:
            found = {"error": "_Folder", "message": "the working folder is gone", "errno": None}
    if found is None:
        write(_VERDICT, token)
        leave(0)
    write(_VERDICT, json.dumps(found).encode())
    leave(1)


def _run(source: str) -> dict[str, Any] | None:
    """Run the text as a module named `program`; what is wrong with its grammar, or None."""
    module = types.ModuleType("program")
    sys.modules["program"] = module
    try:
        code = compile(source, "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return {**_told(error), "error": "SyntaxError"}
    exec(code, module.__dict__)
    return None


def _told(error: BaseException) -> dict[str, Any]:
    """An exception's kind, message, error number and line, as far as they can be had."""
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
    known = next((k for k in kind.__mro__ if k.__module__ == "builtins"), kind)
    number = getattr(error, "errno", None)
    return {
        "error": kind.__name__[:100],
        "base": known.__name__,
        "message": message,
        "errno": number if isinstance(number, int) else None,
        "line": line,
    }


main()
