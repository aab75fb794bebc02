"""The commented configuration that ``gateway up`` writes where there is none: the files of the project's ``config/``."""

from __future__ import annotations

import shutil
from pathlib import Path

import gateway
from gateway.errors import CannotStart

PACKAGE = Path(gateway.__file__).parent


def files() -> Path:
    """Where the starter files are: in the installed package, or in a checkout of the project."""
    for place in (PACKAGE / "starter", PACKAGE.parent / "config"):
        if (place / "gateway.yaml").is_file():
            return place
    raise CannotStart("this installation lacks its starter configuration; install forwardauth-gateway again")


def write(directory: Path) -> bool:
    """Write it, unless the directory exists; whether it was written."""
    if directory.exists():
        return False
    try:
        shutil.copytree(files(), directory)
    except OSError as error:
        raise CannotStart(f"the configuration directory {directory} cannot be written: {error.strerror}") from None
    return True
