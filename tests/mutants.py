"""What came of mutants: how many the tests killed, and whether that is enough."""

import json
import sys
from pathlib import Path

TARGET = 0.90


def describe(stats: dict[str, int]) -> tuple[str, bool]:
    """Return the score in a sentence, and whether it reaches the target.

    Mutants that change no behaviour count as well, so the true score is higher.
    """
    killed, total = stats["killed"] + stats["timeout"], stats["total"]
    score = killed / total if total else 0.0
    sentence = (
        f"{killed} of {total} mutants killed: at least {score:.1%} of those that change "
        f"behaviour, {TARGET:.0%} is needed"
    )
    return sentence, score >= TARGET


if __name__ == "__main__":
    sentence, is_enough = describe(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.write(f"{sentence}\n")
    sys.exit(not is_enough)
