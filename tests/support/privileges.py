"""The privileges of root, given up: the rights of files say nothing to root, and tests run as root in containers."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

# linux/capability.h and linux/prctl.h
_VERSION = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1 << 1, 1 << 2
_KEEP_CAPABILITIES, _AMBIENT, _RAISE = 8, 47, 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int))


class _Sets(ctypes.Structure):
    """One half of the three sets of capabilities; there are two of them, for 64 bits."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def bound_by_modes() -> Iterator[None]:
    """Let this thread, and threads that it starts, open only what the rights of files allow; processes are not bound.

    For a user other than root that is so anyway.
    """
    if os.geteuid():
        yield
        return
    header, sets = _Header(_VERSION, 0), (_Sets * 2)()
    _call(_libc.capget(ctypes.byref(header), sets))
    effective = sets[0].effective
    sets[0].effective = effective & ~(_DAC_OVERRIDE | _DAC_READ_SEARCH)
    _call(_libc.capset(ctypes.byref(header), sets))
    try:
        yield
    finally:
        sets[0].effective = effective  # still permitted
        _call(_libc.capset(ctypes.byref(header), sets))


def become(user: int) -> None:
    """Make this process, started by root, one of another user; it still reads everything, the interpreter among it.

    For the `preexec_fn` of a process.
    """
    _call(_libc.prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    sets = (_Sets * 2)(_Sets(*[_DAC_READ_SEARCH] * 3))
    _call(_libc.capset(ctypes.byref(_Header(_VERSION, 0)), sets))
    _call(_libc.prctl(_AMBIENT, _RAISE, 2, 0, 0))


def _call(code: int) -> None:
    if code:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
