"""Feeds every decoder of bytes whatever a coverage-guided fuzzer can think of (atheris), each for some seconds.

    make fuzz-sensors                       # 20 seconds each
    make fuzz-sensors ARGS="--seconds 300 --only p1"

A decoder answers, or refuses with a ValueError, in no more than a second; and what it answers, a home could have: no watt beyond
a million, no number that is none, no counter below zero. A finding is printed with the bytes that did it, and is exit code 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

LONGEST = 8_192
HERE = Path(__file__)


def one(target: str, seconds: int, folder: Path) -> None:
    """Fuzz one decoder in this process, which the fuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["daisee", "dsmr_parser", "tests.monitor.decoders"]):
        from tests.monitor.decoders import TARGETS, plausible

    decode, _seeds = TARGETS[target]

    def test(data: bytes) -> None:
        try:
            readings = decode(data)
        except ValueError:
            return
        plausible(readings)

    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=1", "-verbosity=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(folder)], test)
    atheris.Fuzz()


def main() -> int:
    """Fuzz each decoder in a process of its own; say how often it was asked."""
    from tests.monitor.decoders import TARGETS

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=20, help="for each decoder")
    parser.add_argument("--only", choices=sorted(TARGETS), help="this one alone")
    given = parser.parse_args()
    failed = []
    for target in [given.only] if given.only else TARGETS:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            for place, seed in enumerate(TARGETS[target][1]):
                (Path(folder) / f"seed-{place}").write_bytes(seed)
            command = [sys.executable, "-m", "tests.monitor.fuzz_sensors", target, str(given.seconds), folder]
            patience_s = given.seconds + 300
            done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parents[2], timeout=patience_s, check=False)
        asked = next(
            (line.split(":")[-1].strip() for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?"
        )
        sys.stdout.write(
            f"{target:<14} {'ok' if done.returncode == 0 else 'FOUND SOMETHING'}, asked {asked} times in {given.seconds} s\n"
        )
        sys.stdout.flush()
        if done.returncode:
            failed.append(target)
            sys.stdout.write(done.stderr[-4_000:] + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) == 4 and not sys.argv[1].startswith("-"):
        one(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main())
