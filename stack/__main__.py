"""The commands: `python -m stack up | down | status | logs | clean | parts | ops`."""

import sys

from stack.cli import main

if __name__ == "__main__":
    sys.exit(main())
