"""The two ways to run the built artifact: in Docker, or on this machine where Docker is not.

Which of them it is gets decided once, before a local AWS runs: that one hides Docker from its own
process, so whoever looked again would find none.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

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
from local.artifact.sam import (
    SAM,
    START_SECONDS,
    SamError,
    find_port,
    make_sam_environment,
    wait_for_port,
)
from local.artifact.template import BUILT, PROJECT, declare_endpoint, read_template, write_template
from local.aws.endpoints import DOCKER_BRIDGE

if TYPE_CHECKING:
    from models.settings import Mode

TEMPLATE = "local.json"  # beside the built one, because CodeUri is relative
VARIABLES = Path(__file__).with_name("sam-env.json")
INVOKE_SECONDS = 120
Variables = Mapping[str, str]


@dataclass(frozen=True)
class Invocation:
    """What a function answered, and the lines that it logged."""

    answer: dict[str, Any]
    log: tuple[dict[str, Any], ...]


class Runtime(Protocol):
    """What can run a function of the artifact."""

    @property
    def host(self) -> str:
        """Where the local AWS has to listen, for the function to reach it."""

    @property
    def description(self) -> str:
        """Which of the ways this is, in a line."""

    def invoke(self, function: str, event: Path, variables: Variables) -> Invocation:
        """Return what came of one event, or raise SamError with what was printed."""


def make_variables(endpoint_url: str, mode: Mode) -> dict[str, str]:
    """Return the variables that direct the functions to a local AWS, in a mode."""
    kept: dict[str, str] = json.loads(VARIABLES.read_text())["Parameters"]
    queue = kept["QUEUE_URL"].replace(kept["AWS_ENDPOINT_URL"], endpoint_url)
    return kept | {"AWS_ENDPOINT_URL": endpoint_url, "QUEUE_URL": queue, "MODE": mode.value}


def choose_runtime(*, renew_image: bool = False) -> Runtime:
    """Return Docker if a daemon answers, else this machine, with what it needs made.

    Raises:
        LambdaImageError: what it needs cannot be made here.
    """
    if not has_docker():
        make_root()
        return OnHost()
    if renew_image or not has_image():
        import_image()
    return InDocker()


def prepare_runtime(*, renew: bool = False) -> int:
    """Prepare what the artifact runs on, say what it is, and return the exit status."""
    try:
        find_python()  # for the deployed chain, which runs functions without SAM CLI
        runtime = choose_runtime(renew_image=renew)
    except LambdaImageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{runtime.description}\n")
    return 0


def _read_docker_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}


@dataclass(frozen=True)
class InDocker:
    """`sam local`, with the Docker that this process saw when this was made."""

    docker: Mapping[str, str] = field(default_factory=_read_docker_variables)
    host: str = DOCKER_BRIDGE
    description: str = "The artifact runs in Docker: real `sam local`."

    def make_environment(self, endpoint_url: str) -> dict[str, str]:
        """Return the environment of SAM CLI, in which Docker is where it was."""
        made = make_sam_environment(endpoint_url)
        return {n: v for n, v in made.items() if not n.startswith("DOCKER_")} | dict(self.docker)

    def invoke(self, function: str, event: Path, variables: Variables) -> Invocation:
        """Return what came of one event, or raise SamError with what was printed."""
        with _prepare_options(variables) as options:
            try:
                done = subprocess.run(  # noqa: S603 - our own SAM CLI
                    [SAM, "local", "invoke", function, *options, "--event", event],
                    env=self.make_environment(variables["AWS_ENDPOINT_URL"]),
                    capture_output=True,
                    text=True,
                    timeout=INVOKE_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise SamError(f"{function} has not answered in {INVOKE_SECONDS} s") from error
        printed = done.stdout + done.stderr
        # SAM CLI exits with 0 when the function raises; its answer is the last line either way.
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        answer = lines[-1] if lines and done.returncode == 0 else ""
        return _take_answer(function, answer, printed)

    @contextmanager
    def start_lambda(self, variables: Variables) -> Iterator[str]:
        """Run `sam local start-lambda`, and yield the URL that a Lambda client can call."""
        port = find_port()
        with _prepare_options(variables) as options:
            server = subprocess.Popen(  # noqa: S603 - our own SAM CLI
                [SAM, "local", "start-lambda", *options, "--port", str(port)],
                env=self.make_environment(variables["AWS_ENDPOINT_URL"]),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                wait_for_port(port, server)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.send_signal(signal.SIGTERM)  # after SIGINT its containers would stay
                server.wait(timeout=START_SECONDS)


@dataclass(frozen=True)
class OnHost:
    """The runtime emulator that SAM CLI ships, on this machine, with Debian's Python."""

    host: str = "127.0.0.1"
    description: str = (
        "No Docker here: the artifact runs on this machine, under SAM CLI's runtime emulator."
    )

    def invoke(self, function: str, event: Path, variables: Variables) -> Invocation:
        """Return what came of one event, or raise SamError with what was printed."""
        with tempfile.TemporaryFile("w+") as output:
            try:
                with self.serve(function, variables, output) as url:
                    answer = _post(url, event.read_bytes())
            except OSError as error:
                raise SamError(f"{function} has not answered: {error}") from error
            output.seek(0)
            return _take_answer(function, answer, output.read())

    @contextmanager
    def serve(
        self, function: str, variables: Variables, output: IO[str] | int = subprocess.DEVNULL
    ) -> Iterator[str]:
        """Run a function under the emulator, and yield the URL that takes its events."""
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
                **make_sam_environment(variables["AWS_ENDPOINT_URL"]),
                **variables,
                "LAMBDA_TASK_ROOT": str(BUILT / function),
                "IAM26_PYTHON": str(launcher()),
                "IAM26_RUNTIME": str(root / "var/runtime"),
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(INVOKE_SECONDS),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            },
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            wait_for_port(port, server)
            yield f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=START_SECONDS)


@contextmanager
def _prepare_options(variables: Variables) -> Iterator[list[str | Path]]:
    if not (BUILT / "template.yaml").exists():
        raise SamError("There is no artifact: run `make invoke`, which builds it")
    template = write_template(declare_endpoint(read_template()), BUILT / TEMPLATE)
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(folder) / "variables.json"
        chosen.write_text(json.dumps({"Parameters": dict(variables)}))
        yield [
            *("--template", template, "--env-vars", chosen),
            *("--parameter-overrides", f"Architecture={ARCHITECTURE}"),
            "--skip-pull-image",
        ]


def _post(url: str, body: bytes) -> str:
    request = urllib.request.Request(url, body)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=INVOKE_SECONDS) as response:  # noqa: S310
        answer: str = response.read().decode()
    return answer


def _take_answer(function: str, text: str, printed: str) -> Invocation:
    answer = _parse(text)
    if answer is None:
        raise SamError(f"{function} gave no answer:\n{printed}")
    if "errorMessage" in answer:
        kind = answer.get("errorType", "error")
        raise SamError(f"{function} failed: {kind}: {answer['errorMessage']}")
    lines = filter(None, map(_parse, printed.splitlines()))
    return Invocation(answer, tuple(one for one in lines if "message" in one))


def _parse(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
