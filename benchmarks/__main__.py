"""`python -m benchmarks`: one command for each thing that is measured."""

import sys

from benchmarks.commands import main

if __name__ == "__main__":
    sys.exit(main())
