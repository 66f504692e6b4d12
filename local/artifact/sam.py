"""The built artifact, run by SAM CLI in Docker, or by its runtime emulator where Docker is not.

`python -m local image` prepares what that needs, and says which of the two it will be.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from local.artifact.image import (
    LambdaImageError,
    find_python,
    has_docker,
    has_image,
    import_image,
    make_root,
)
from local.artifact.image.image import ARCHITECTURE
from local.artifact.image.root import launcher
from local.artifact.template import BUILT, PROJECT, declare_endpoint, read_template, write_template
from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.patches.accounts import make_access_key

SAM = PROJECT / ".venv-sam" / "bin" / "sam"
ENVIRONMENT = Path(__file__).with_name("sam-env.json")
TEMPLATE = "local.json"  # beside the built one, because CodeUri is relative
START_SECONDS = 60
INVOKE_SECONDS = 120


class SamError(RuntimeError):
    """The artifact could not be run, or what it printed is no answer."""


def read_variables() -> dict[str, str]:
    """Give the functions' variables in the environment file that is checked in."""
    variables: dict[str, str] = json.loads(ENVIRONMENT.read_text())["Parameters"]
    return variables


def make_environment(endpoint_url: str) -> dict[str, str]:
    """Give the environment of SAM CLI, which asks STS and passes its credentials on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": make_access_key(OWN_ACCOUNT),
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": HOME_REGION,
        "AWS_REGION": HOME_REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": endpoint_url,
        "SAM_CLI_TELEMETRY": "0",
    }


def prepare() -> Path:
    """Give the template for a local run in Docker, once there is an image to run it in."""
    if not (BUILT / "template.yaml").exists():
        raise SamError("There is no artifact: run `make invoke`, which builds it")
    if not has_image():
        import_image()
    return write_template(declare_endpoint(read_template()), BUILT / TEMPLATE)


def invoke_in_docker(function: str, event: Path, endpoint_url: str) -> Any:
    """Give a function's answer from `sam local invoke`, or raise SamError with what it printed."""
    done = subprocess.run(  # noqa: S603 - our own SAM CLI
        [SAM, "local", "invoke", function, *_local_options(prepare()), "--event", str(event)],
        env=make_environment(endpoint_url),
        capture_output=True,
        text=True,
        timeout=INVOKE_SECONDS,
        check=False,
    )
    printed = [line for line in done.stdout.splitlines() if line.strip()]
    # SAM CLI exits with 0 when the function raises; its answer is the last line either way.
    answer = _parse(printed[-1]) if printed and done.returncode == 0 else None
    if answer is None or "errorMessage" in answer:
        raise SamError(f"sam local invoke {function}:\n{done.stdout}\n{done.stderr}")
    return answer


@contextmanager
def start_lambda(endpoint_url: str) -> Iterator[str]:
    """Run `sam local start-lambda`, and give the URL that a Lambda client can call."""
    port = find_port()
    server = subprocess.Popen(  # noqa: S603 - our own SAM CLI
        [SAM, "local", "start-lambda", *_local_options(prepare()), "--port", str(port)],
        env=make_environment(endpoint_url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)  # after SIGINT its containers would stay
        server.wait(timeout=START_SECONDS)


@contextmanager
def serve_on_host(function: str, variables: Mapping[str, str]) -> Iterator[str]:
    """Run a function of the artifact under SAM CLI's runtime emulator, and give its URL."""
    root = make_root()
    handler = read_template()["Resources"][function]["Properties"]["Handler"]
    port, api = find_port(), find_port()
    emulator = next(
        PROJECT.glob(f".venv-sam/lib/*/site-packages/samcli/local/rapid/*-{ARCHITECTURE}")
    )
    server = subprocess.Popen(  # noqa: S603 - SAM CLI's own
        [
            *(emulator, "--log-level", "error"),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", f"127.0.0.1:{api}"),
            *(root / "var/runtime/bootstrap", handler),
        ],
        env={
            **make_environment(variables["AWS_ENDPOINT_URL"]),
            **variables,
            "LAMBDA_TASK_ROOT": str(BUILT / function),
            "IAM26_PYTHON": str(launcher()),
            "IAM26_RUNTIME": str(root / "var/runtime"),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(INVOKE_SECONDS),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_port(port, server)
        yield f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=START_SECONDS)


def invoke_on_host(function: str, event: Path, endpoint_url: str) -> Any:
    """Give a function's answer from the runtime emulator, or raise SamError with its error."""
    variables = read_variables()
    queue = variables["QUEUE_URL"].replace(variables["AWS_ENDPOINT_URL"], endpoint_url)
    variables |= {"AWS_ENDPOINT_URL": endpoint_url, "QUEUE_URL": queue}
    with serve_on_host(function, variables) as url:
        request = urllib.request.Request(url, event.read_bytes())  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=INVOKE_SECONDS) as response:  # noqa: S310
            answer = _parse(response.read().decode())
    if answer is None or "errorMessage" in answer:
        raise SamError(f"{function} on {event.name}: {answer}")
    return answer


def describe_way() -> str:
    """Say in one line which way the artifact is run on this machine."""
    if has_docker():
        return "The artifact runs in Docker: real `sam local`."
    return "No Docker here: the artifact runs on this machine, under SAM CLI's runtime emulator."


def find_port() -> int:
    """Give a port that nobody listens on."""
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
    """Tell whether a local AWS answers there."""
    try:
        with urllib.request.urlopen(f"{endpoint_url}/moto-api/", timeout=2):  # noqa: S310 - ours
            return True
    except (URLError, OSError):
        return False


def _local_options(template: Path) -> list[str]:
    return [
        *("--template", str(template), "--env-vars", str(ENVIRONMENT)),
        *("--parameter-overrides", f"Architecture={ARCHITECTURE}"),
        "--skip-pull-image",
    ]


def _parse(line: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def prepare_runtime(*, renew: bool = False) -> int:
    """Prepare what the artifact runs on, say what it is, and return the exit status."""
    try:
        find_python()
        if not has_docker():
            make_root()
        elif renew or not has_image():
            sys.stdout.write(f"{import_image()} is made of Debian's packages.\n")
    except LambdaImageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{describe_way()}\n")
    return 0
