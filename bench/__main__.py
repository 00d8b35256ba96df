"""`python -m bench engine [options]`: which benchmark to run."""

import sys

from bench import engine

BENCHES = {"engine": engine.main}


def main() -> int:
    name, rest = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name not in BENCHES:
        print(f"usage: python -m bench {' | '.join(BENCHES)} [--help]", file=sys.stderr)
        return 2
    return BENCHES[name](rest)


if __name__ == "__main__":
    sys.exit(main())
