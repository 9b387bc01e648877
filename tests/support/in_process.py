"""Our programs run in this process, for tests of which the process is not the point.

A start of rtvoiced costs a third of a second of work, nearly all of it Python's imports, and there would be
hundreds. What is printed, the exit status and the environment are those of a child; what a child alone can
show (signals, file descriptors, what is imported) is tested with children.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

Main = Callable[[Sequence[str]], int]


def called(main: Main, words: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Call *main* with *words*, in *environ* alone; return what a child would have left."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        _within(environ),
        _logging_as_before(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            status = main(words)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(list(words), status, *texts)


@contextmanager
def _within(environ: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _logging_as_before() -> Iterator[None]:
    """Take back what a program has set up for its own log."""
    ours, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        structlog.configure(**ours)
        root.handlers[:] = handlers
        root.setLevel(level)
