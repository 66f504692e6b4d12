"""`python -m local serve`: the local AWS on a port, until it is told to stop."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

from local.aws.endpoints import DOCKER_BRIDGE, ForeignEndpointError
from local.aws.server import LocalAws, LocalAwsError
from local.fixtures import seed

_FOR_SAM = """\
# SAM CLI asks STS who you are before each `sam local invoke`; this keeps it from waiting:
export AWS_ENDPOINT_URL_STS={url}
# A function in a container reaches the server on {bridge} (start with --host {bridge})
# or host.docker.internal, and only gets the variables that template.yaml declares.
"""


def serve(host: str, port: int, expired: Sequence[str] = ()) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit status.

    IAM has expired certificates of the names from the start: nobody can upload one.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with LocalAws(port=port, host=host) as aws:
            for name in expired:
                path, _, last = name.rpartition("/")
                seed.plant_certificate(last, path=f"{path}/")
            sys.stdout.write(describe(aws))
            sys.stdout.flush()
            stopped.wait()
    except (LocalAwsError, ForeignEndpointError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def describe(aws: LocalAws) -> str:
    """Return the shell lines that direct the AWS CLI and SAM CLI to a running server."""
    exports = [f"export {name}={value}\n" for name, value in aws.environment.items()]
    return "".join(exports) + _FOR_SAM.format(url=aws.endpoint_url, bridge=DOCKER_BRIDGE)
