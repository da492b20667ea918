"""Programs that try to get out, or to pass without being right, each in a few lines.

One that reaches what it must not prints ESCAPED. The tests append an assertion that is false.
"""

DECEITS = {
    "forget": "import sys\nsys._getframe(1).f_globals['_described'] = lambda error: None",
    "forget everything": """
import sys
runner = sys._getframe(1).f_globals
for name, value in list(runner.items()):
    if callable(value):
        runner[name] = lambda *rest: None
""",
    "other modules forget": """
import sys
sys._getframe(1).f_globals['_folder_is_gone'] = lambda: False
sys.exit = sys.excepthook = lambda *rest: None
""",
    "an import leads to the runner": """
import sys
runner = sys._getframe(1).f_globals
for module in sys.modules.values():
    if vars(module) is runner:
        print('ESCAPED')
""",
    "another main module": """
import sys
module = sys.modules['__main__'] = type(sys)('__main__')
module.main = module._described = module._folder_is_gone = lambda *rest: None
del sys.modules['__main__'], module
""",
    "built-in names": """
import builtins
builtins.AssertionError = builtins.BaseException = builtins.Exception = KeyError
builtins.isinstance = lambda *rest: True
builtins.str = builtins.next = builtins.getattr = lambda *rest: ''
""",
    "system functions": """
import os
written = os.write
os.write = lambda file, data: written(file, b'passed')
leave = os._exit
os._exit = lambda status: leave(0)
""",
    "locals of frames": """
import os, sys
frame = sys._getframe()
while frame:
    for name, value in list(frame.f_locals.items()):
        if isinstance(value, bytes):
            os.write(3, value)
        try:
            if name in ('failure', 'write', 'leave', 'own_pid'):
                frame.f_locals[name] = None
        except TypeError:
            pass
    frame = frame.f_back
os._exit(0)
""",
    "frames of threads": """
import os, sys
for frame in sys._current_frames().values():
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, bytes):
                os.write(3, value)
        frame = frame.f_back
os._exit(0)
""",
    "collector": """
import gc, os
gc.unfreeze()
for thing in gc.get_objects():
    for value in gc.get_referents(thing):
        if type(value) is bytes and 16 <= len(value) <= 64:
            os.write(3, value)
os._exit(0)
""",
    "collector finds the runner": """
import gc
for function in gc.get_objects():
    if getattr(function, '__module__', '') == '__main__' and hasattr(function, '__code__'):
        try:
            function.__code__ = (lambda *rest, **named: None).__code__
        except Exception:
            pass
""",
    "tracing jumps over the test": """
import sys
def jump(frame, event, argument):
    if event == 'line':
        frame.f_lineno += 1
    return jump
sys._getframe().f_trace = jump
sys.settrace(jump)
print('ESCAPED')
""",
    "monitoring jumps over the test": """
import sys
tool = sys.monitoring
tool.use_tool_id(3, 'jump')
tool.register_callback(3, tool.events.LINE, lambda code, line: None)
tool.set_events(3, tool.events.LINE)
print('ESCAPED')
""",
    "tracing after the refusal is gone": """
import builtins, sys
del builtins.PermissionError
try:
    sys.settrace(lambda *rest: None)
except BaseException:
    pass
else:
    print('ESCAPED')
""",
    "runner again": "import sys\nsys._getframe(1).f_globals['main']()",
    "at exit": "import atexit, os\natexit.register(os._exit, 0)\nraise SystemExit(0)",
    "thread": """
import os, threading, time
threading.Thread(target=lambda: os._exit(0)).start()
time.sleep(0.2)
""",
    "alarm": """
import os, signal, time
signal.signal(signal.SIGALRM, lambda *rest: os._exit(0))
signal.setitimer(signal.ITIMER_REAL, 0.01)
time.sleep(0.2)
""",
    "another interpreter": """
import os, sys
os.execv(sys.executable, [sys.executable, '-c', 'pass'])
""",
    "message": """
import os
class Odd(AssertionError):
    def __str__(self):
        os._exit(0)
raise Odd
""",
    "guesses": """
import os
for file in range(256):
    for data in (b'passed', b'.', bytes(32), b'.' + bytes(32)):
        try:
            os.write(file, data)
        except OSError:
            pass
os._exit(0)
""",
    "reads what is left": """
import os
for file in range(16):
    try:
        os.set_blocking(file, False)
        os.write(3, os.read(file, 64))
    except OSError:
        pass
os._exit(0)
""",
    "destructor": """
import os
class Last:
    def __del__(self):
        os._exit(0)
last = Last()
""",
    "audit": """
import os, sys
def hook(event, rest):
    if event in ('os.write', 'builtins.id', 'sys.excepthook'):
        os._exit(0)
sys.addaudithook(hook)
""",
}
"""Programs that try to pass: name → text."""

_CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.{call} >= 0:
    print('ESCAPED')
"""

_SOCKET = """
import socket
try:
    socket.socket({family}, {kind})
except OSError:
    pass
else:
    print('ESCAPED')
"""

REACHING = {
    "memory file": "import os\nos.memfd_create('large')\nprint('ESCAPED')",
    "secret memory file": _CALL.format(call="syscall(447, 0)"),
    "shared memory": _CALL.format(call="shmget(0, 100 << 20, 0o1600)"),
    "message queue": _CALL.format(call="msgget(0, 0o1600)"),
    "semaphores": _CALL.format(call="semget(0, 1000, 0o1600)"),
    "large pipe": "import fcntl, os\nfcntl.fcntl(os.pipe()[0], 1031, 1 << 20)\nprint('ESCAPED')",
    "watches": _CALL.format(call="inotify_init1(0)"),
    "keys": _CALL.format(call="syscall(248, b'user', b'a', b'b', 1, -2)"),
    "io_uring": _CALL.format(call="syscall(425, 4, ctypes.create_string_buffer(200))"),
    "user namespace": _CALL.format(call="unshare(0x10000000)"),
    "time namespace": _CALL.format(call="unshare(0x80)"),
    "child in a namespace": _CALL.format(call="syscall(56, 0x10000011, 0, 0, 0, 0)"),
    "mount": _CALL.format(call="mount(b'none', b'/', b'tmpfs', 0, None)"),
    "BPF": _CALL.format(call="syscall(321, 0, ctypes.create_string_buffer(200), 72)"),
    "page faults": _CALL.format(call="syscall(323, 1)"),
    "counters": _CALL.format(call="syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0)"),
    "debugging": _CALL.format(call="ptrace(16, __import__('os').getppid(), None, None)"),
    "another's signal": "import os\nos.kill(os.getppid(), 0)\nprint('ESCAPED')",
    "everybody's signal": "import os\nos.kill(-1, 0)\nprint('ESCAPED')",
    "another's limits": """
import os, resource
resource.prlimit(os.getppid(), resource.RLIMIT_CORE)
print('ESCAPED')
""",
    "local socket": _SOCKET.format(family=1, kind=1),
    "internet socket": _SOCKET.format(family=2, kind=2),
    "kernel socket": _SOCKET.format(family=16, kind=3),
    "packet socket": _SOCKET.format(family=17, kind=3),
    "cipher socket": _SOCKET.format(family=38, kind=5),
    "machine socket": _SOCKET.format(family=40, kind=1),
    "fork": "import os\nos.fork()\nprint('ESCAPED')",
    "spawn": "import subprocess\nsubprocess.run(['/bin/true'])\nprint('ESCAPED')",
    "daemon": """
import ctypes, os
if ctypes.CDLL(None).fork() == 0:
    os.setsid()
    print('ESCAPED', flush=True)
""",
}
"""Programs that ask the kernel for what they must not have, by x86-64's numbers: name → text."""

HOARDS = {
    "memory": "",
    "files": """
held = []
try:
    for number in range(10**6):
        with open(str(number), 'wb') as file:
            mib += file.write(bytes(1 << 20)) / (1 << 20)
except OSError:
    pass
""",
    "deleted files": """
import os
held = []
try:
    while True:
        held.append(open('deleted', 'wb', buffering=0))
        os.unlink('deleted')
        mib += held[-1].write(bytes(1 << 20)) / (1 << 20)
except OSError:
    pass
""",
}
"""Programs that hold as much as they can in files: name → text; `HOLD_MEMORY` comes after it."""

_HOLD = """
blocks = []
try:
    while True:
        blocks.append(bytearray(b'x' * (1 << 20)))
        mib += 1
except MemoryError:
    blocks.pop()
"""

HOLD_MEMORY = f"{_HOLD}print(mib)\n"

SHARED_HOARD = (
    """
import os
mib = 0
first = os.getpid()
reading, writing = os.pipe()
forked = 0
try:
    while forked < 64:
        if os.fork() == 0:
            break
        forked += 1
except OSError:
    pass
"""
    + _HOLD
    + """
os.write(writing, bytes([mib]))
if os.getpid() != first:
    import time
    time.sleep(60)
print(sum(os.read(reading, 1)[0] for _ in range(forked + 1)))
"""
)
"""Prints the MiB that it and as many children as it gets hold at once."""
