"""`python -m bench engine | kernel | scale | daemon | soak | report`: which benchmark to run."""

import importlib
import sys

BENCHES = ("engine", "kernel", "scale", "daemon", "soak", "report")


def main() -> int:
    name, rest = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name not in BENCHES:
        print(f"usage: python -m bench {' | '.join(BENCHES)} [--help]", file=sys.stderr)
        return 2
    verb = importlib.import_module(f"bench.{name}")  # a benchmark needs only what it imports
    return int(verb.main(rest))


if __name__ == "__main__":
    sys.exit(main())
