"""What takes long to make and is always the same: made once, and kept from run to run.

Speech and the times of its words are made by other people's programs, which takes half a minute for the few
hundred sentences of these tests. They lie in the virtual environment, each under a name that is made of all
that it depends on: the text, our own sources, the programs. `make clean` throws them away.

    pcm, hz = kept(speak, "hello", "slt", sources=(voices,))
"""

from __future__ import annotations

import hashlib
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

FOLDER = Path(sys.prefix) / "kept"
PROGRAMS = ("flite", "espeak-ng")

Made = TypeVar("Made")


def kept(make: Callable[..., Made], *args: Hashable, sources: tuple[ModuleType, ...]) -> Made:
    """Return ``make(*args)``; not made again where it is kept.

    It must depend on nothing but *args*, the module of *make*, the other modules *sources*, and `PROGRAMS`.
    """
    name = hashlib.sha256()
    own = sys.modules[make.__module__]
    for part in (make.__qualname__, args, *map(_of_source, (own, *sources)), _of_programs()):
        name.update(pickle.dumps(part))
    file = FOLDER / name.hexdigest()
    try:
        made: Made = pickle.loads(file.read_bytes())
    except (OSError, EOFError, pickle.UnpicklingError):
        made = make(*args)
        _keep(file, pickle.dumps(made))
    return made


def _keep(file: Path, data: bytes) -> None:
    """Write it whole, for others may write the same; where nothing can be written, nothing is kept."""
    try:
        FOLDER.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=FOLDER, delete=False) as half:
            half.write(data)
        Path(half.name).replace(file)
    except OSError:
        return


@cache
def _of_source(module: ModuleType) -> bytes:
    assert module.__file__
    return hashlib.sha256(Path(module.__file__).read_bytes()).digest()


@cache
def _of_programs() -> tuple[tuple[str, int, int], ...]:
    """Return which programs there are, and when they were installed."""
    found = [shutil.which(name) for name in PROGRAMS]
    at = [(each, Path(each).stat()) for each in found if each]
    return tuple((each, status.st_size, status.st_mtime_ns) for each, status in at)
