"""`python -m local invoke`: what it takes, what it prints, and where Docker is for it."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import enable_socket, socket_allow_hosts
from rich.console import Console

from local import in_process
from local.artifact.invoke import read_sample, run_invoke
from local.artifact.runtime import InDocker, Invocation, Runtime, Variables
from local.artifact.template import PROJECT
from models.settings import Mode

EVENTS = PROJECT / "events"
# The function of the expiry alarms is a stack of its own, with events of its own.
TAKEN = sorted(set(EVENTS.rglob("*.json")) - set(EVENTS.glob("expiry-alarms-function/*")))
URL = "http://127.0.0.1:1"


@dataclass
class FakeRuntime:
    """Answers as a function would, and remembers what it was given."""

    came: Invocation
    host: str = "127.0.0.1"
    description: str = "Nothing runs."
    invoked: list[tuple[str, Variables]] = field(default_factory=list)

    def invoke(self, function: str, event: Path, variables: Variables) -> Invocation:
        """Answer the same to every event."""
        self.invoked.append((function, variables))
        return self.came


@pytest.fixture
def screen() -> Console:
    return Console(file=io.StringIO(), width=300)


@pytest.fixture
def _sockets_of_this_machine() -> Iterator[None]:
    enable_socket()
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
    yield
    enable_socket()


def read(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def refuse() -> Runtime:
    """Stand for a runtime that must not even be looked for."""
    raise AssertionError("nothing is to be run")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        ("this is no JSON", "is not JSON: "),
        ("\ufeff[", "is not JSON: "),
        ("[]", "is no event that the functions take: "),
        ("{}", "is no event that the functions take: "),
        ('{"detail": "no findings"}', "is no event that the functions take: "),
        ('{"Records": [{}]}', "is no event that the functions take: "),
        ('{"Records": "none"}', "is no event that the functions take: "),
    ],
)
def test_what_is_no_event_gets_one_line(
    screen: Console, tmp_path: Path, text: str | None, why: str
) -> None:
    """A file without an event is refused in a line that names it, before anything is started."""
    path = tmp_path / "event.json"
    if text is not None:
        path.write_text(text)

    assert run_invoke(path, Mode.ENFORCE, screen, refuse) == 2
    [line] = read(screen).splitlines()
    assert line.startswith(f"{path} {why}")


def test_a_folder_is_no_event(screen: Console, tmp_path: Path) -> None:
    """A path that is there, but not a file, gets its line as well."""
    assert run_invoke(tmp_path, Mode.ENFORCE, screen, refuse) == 2
    assert read(screen) == f"{tmp_path} cannot be read: Is a directory\n"


@pytest.mark.parametrize("path", TAKEN, ids=lambda path: str(path.relative_to(EVENTS)))
def test_each_sample_event_is_taken(path: Path) -> None:
    """Every event of the remediation has its function, and findings to seed."""
    sample = read_sample(path)
    is_schedule = path.parent.name == "sweep-function"
    assert sample.function == ("SweepFunction" if is_schedule else "RemediateFunction")
    assert sample.findings


@pytest.mark.usefixtures("_sockets_of_this_machine")
class TestRun:
    """What is printed of an invocation, over a runtime that only answers."""

    def run(self, screen: Console, name: str, came: Invocation, mode: Mode) -> FakeRuntime:
        """Run an event over a function that answers so, and give what it was run with."""
        runtime = FakeRuntime(came)
        assert run_invoke(EVENTS / name, mode, screen, lambda: runtime) == 0
        return runtime

    @pytest.mark.parametrize("mode", Mode)
    def test_the_mode_reaches_the_function_and_is_printed(
        self, screen: Console, mode: Mode
    ) -> None:
        """The function gets the mode that was asked for, and the address of the local AWS."""
        runtime = self.run(
            screen, "imported-consolidated.json", Invocation({"outcomes": []}, ()), mode
        )
        [(function, variables)] = runtime.invoked
        assert (function, variables["MODE"]) == ("RemediateFunction", mode.value)
        assert variables["QUEUE_URL"].startswith(variables["AWS_ENDPOINT_URL"] + "/")
        assert f"MODE={mode.value}:" in read(screen)

    def test_a_batch_tells_outcomes_postponed_findings_and_failed_messages(
        self, screen: Console
    ) -> None:
        """What a batch answers are ids alone: what happened is taken from the log."""
        log: tuple[dict[str, Any], ...] = (
            {
                "level": "INFO",
                "message": "certificate",
                "outcome": "in-use",
                "certificate": "arn:web",
                "findingIds": ["first", "second"],
                "reason": "A listener has it [x].",
            },
            {
                "level": "WARNING",
                "message": "findings are postponed",
                "findingIds": ["third"],
                "reason": "IAM is throttled",
            },
            {"level": "INFO", "message": "scan"},
        )
        answer = {"batchItemFailures": [{"itemIdentifier": "the-third"}]}
        self.run(screen, "sqs-batch.json", Invocation(answer, log), Mode.ENFORCE)
        printed = read(screen)
        for told in ("in-use", "arn:web", "first", "second", "A listener has it [x]."):
            assert told in printed
        assert "third: findings are postponed: IAM is throttled" in printed
        assert "Message the-third failed" in printed
        assert "scan" not in printed

    def test_a_batch_without_a_failure_says_so(self, screen: Console) -> None:
        """An empty list of failed messages is put into words."""
        came = Invocation({"batchItemFailures": []}, ())
        self.run(screen, "sqs-batch.json", came, Mode.ENFORCE)
        assert "No message is delivered again." in read(screen)

    def test_a_sweep_tells_its_counts(self, screen: Console) -> None:
        """The sweep's counts are printed, and its function is the one that was run."""
        came = Invocation({"accounts": 0, "findings": 0, "messages": 0}, ())
        runtime = self.run(screen, "sweep-function/schedule.json", came, Mode.ENFORCE)
        assert [function for function, _ in runtime.invoked] == ["SweepFunction"]
        assert "accounts: 0, findings: 0, messages: 0" in read(screen)


class TestDocker:
    """A running local AWS hides Docker from its process, but not from who chose it before."""

    @pytest.mark.parametrize("given", [None, "unix:///elsewhere.sock"])
    def test_sam_cli_gets_the_docker_that_was_there(
        self, monkeypatch: pytest.MonkeyPatch, given: str | None
    ) -> None:
        """SAM CLI is directed to the Docker of before, be it named or the usual one."""
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        if given:
            monkeypatch.setenv("DOCKER_HOST", given)
        runtime = InDocker()
        with in_process():
            assert runtime.make_environment(URL).get("DOCKER_HOST") == given
