"""Counts work: bytecodes, calls, coroutines. Not how long it takes, so it is the same on a machine that is busy."""

from __future__ import annotations

import gc
import inspect
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

_TESTS = str(Path(__file__).parent)


@dataclass
class Work:
    """What was done. ``builtins``: calls of what is written in C; ``where``: the bytecodes of each function."""

    bytecodes: int = 0
    calls: int = 0
    builtins: int = 0
    coroutines: int = 0
    where: Counter[str] = field(default_factory=Counter, compare=False)

    def trace(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        """As ``sys.settrace`` wants it. What tests do by themselves is not counted."""
        if _is_test(frame):
            return None
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            self.calls += 1
            self.coroutines += bool(frame.f_code.co_flags & inspect.CO_COROUTINE)
        elif event == "opcode":
            self.bytecodes += 1
            self.where[frame.f_code.co_qualname] += 1
        return self.trace

    def profile(self, frame: FrameType, event: str, arg: object) -> None:
        """As ``sys.setprofile`` wants it."""
        self.builtins += event == "c_call" and not _is_test(frame)


def counted(work: Callable[[], object]) -> Work:
    """What ``work`` does in this thread. Whoever traced before (coverage) traces again behind it; the collector waits
    meanwhile, because others hang on to it."""
    found, tracer, profiler, collects = Work(), sys.gettrace(), sys.getprofile(), gc.isenabled()
    gc.disable()
    sys.setprofile(found.profile)
    sys.settrace(found.trace)
    try:
        work()
    finally:
        sys.settrace(tracer)
        sys.setprofile(profiler)
        if collects:
            gc.enable()
    return found


def kept(work: Callable[[], object]) -> int:
    """Blocks of memory that are there after ``work`` and were not before, but for garbage."""
    gc.collect()
    before = sys.getallocatedblocks()
    work()
    gc.collect()
    return sys.getallocatedblocks() - before


def _is_test(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_TESTS)
