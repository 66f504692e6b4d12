"""SAM CLI, and the ports that it and the local AWS listen on."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from contextlib import closing
from urllib.error import URLError

from local.artifact.template import PROJECT
from local.aws.environment import make_environment

SAM = PROJECT / ".venv-sam" / "bin" / "sam"
START_SECONDS = 60


class SamError(RuntimeError):
    """The artifact could not be run, or what it printed is no answer."""


def make_sam_environment(endpoint_url: str) -> dict[str, str]:
    """Return the environment of SAM CLI, which asks STS and passes its credentials on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | make_environment(endpoint_url) | {"SAM_CLI_TELEMETRY": "0"}


def find_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(
    port: int, process: subprocess.Popen[bytes], seconds: float = START_SECONDS
) -> None:
    """Wait until a process listens on a port; raise SamError if it ends or takes too long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SamError(f"{process.args!r} does not listen on port {port}")


def is_listening(endpoint_url: str) -> bool:
    """Return whether a local AWS answers there."""
    try:
        with urllib.request.urlopen(f"{endpoint_url}/moto-api/", timeout=2):  # noqa: S310 - ours
            return True
    except (URLError, OSError):
        return False
