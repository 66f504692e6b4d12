"""`python -m local.killed OPERATION`: an invocation that dies right after AWS answered a call.

Reads the event from standard input. The process ends as a killed one does: nothing is cleaned up.
"""

import json
import os
import sys
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS

from local.endpoints import refuse_foreign_endpoints

EXIT_STATUS = 137  # what a shell shows for SIGKILL


def main() -> None:
    """Invoke the remediation handler with the event on standard input, and die on the way."""
    refuse_foreign_endpoints(os.environ)
    operation = sys.argv[1]
    event: dict[str, Any] = json.load(sys.stdin)

    def die(**_: object) -> None:
        sys.stdout.flush()
        os._exit(EXIT_STATUS)

    # Before the first session exists, so that all of them take it over.
    BUILTIN_HANDLERS.append((f"after-call.*.{operation}", die))
    from handlers.remediate import handler  # noqa: PLC0415 - see above

    handler(event, None)


if __name__ == "__main__":
    main()
