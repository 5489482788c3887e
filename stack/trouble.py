"""What can go wrong with a machine, said in one sentence to the person who sits before it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Trouble(Exception):
    """Something about this machine keeps the stack from running; the text says what to do about it."""


@contextmanager
def disk_full_is_trouble(directory: Path) -> Iterator[None]:
    """Turn the kernel's ENOSPC and EDQUOT, wherever they appear in the block, into a sentence that names the folder."""
    try:
        yield
    except OSError as wrong:
        if wrong.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Trouble(f"The disk that holds {directory} is full: free 1 GB there and start again.") from wrong
        raise
