"""`python -m local`: the local AWS on a port, until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from local.aws import LocalAws, LocalAwsError
from local.endpoints import DOCKER_BRIDGE, ForeignEndpointError

_FOR_SAM = """\
# SAM CLI asks STS who you are before each `sam local invoke`; this keeps it from waiting:
export AWS_ENDPOINT_URL_STS={url}
# A function in a container reaches the server on {bridge} (start with --host {bridge})
# or host.docker.internal, and only gets the variables that template.yaml declares.
"""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--port", type=int, default=5026)
    parser.add_argument(
        "--host", default="127.0.0.1", help=f"a loopback address, or {DOCKER_BRIDGE} for Docker"
    )
    options = parser.parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with LocalAws(port=options.port, host=options.host) as aws:
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


if __name__ == "__main__":
    sys.exit(main())
