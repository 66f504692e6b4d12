"""`make deploy`: the real target, with a SAM CLI that only writes down what it is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.fixtures.stack import PROJECT, load_stack

RECORDER = """#!{python}
import json, os, pathlib, sys
calls = pathlib.Path({calls!r})
told = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
calls.write_text(calls.read_text() + json.dumps(told) + "\\n")
sys.exit(sys.argv[1] == {fails!r})
"""
# SAM CLI's own reading of the option, in its own environment.
UNDERSTAND = """
import json, sys
from samcli.cli.types import CfnParameterOverridesType
print(json.dumps(CfnParameterOverridesType().convert(tuple(sys.argv[1:]), None, None)))
"""
PARAMETERS = set(load_stack().parameters)
MODES = load_stack().parameters["Mode"]["AllowedValues"]


@dataclass(frozen=True)
class Checkout:
    """A checkout of the project whose SAM CLI writes down what it is told."""

    folder: Path

    def make(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Return what came of make with these words on its command line."""
        made = ("--old-file", ".venv/.ready", "--old-file", ".venv-sam/.ready")
        kept = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
        return subprocess.run(  # noqa: S603 - our own Makefile
            ["make", *made, "deploy", *words],  # noqa: S607 - whichever make there is
            cwd=self.folder,
            env=kept | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def break_sam(self, command: str) -> None:
        """Let a command of SAM CLI fail from now on."""
        sam = self.folder / ".venv-sam/bin/sam"
        text = RECORDER.format(python=sys.executable, calls=str(self.calls), fails=command)
        sam.write_text(text)
        sam.chmod(0o755)

    @property
    def calls(self) -> Path:
        """Where SAM CLI writes what it is told."""
        return self.folder / "calls"

    def told(self) -> list[dict[str, Any]]:
        """Return the calls of SAM CLI, in order."""
        return [json.loads(line) for line in self.calls.read_text().splitlines()]

    def deployed(self) -> dict[str, str]:
        """Return the parameters that SAM CLI understood."""
        arguments = self.told()[-1]["arguments"]
        overrides = arguments[arguments.index("--parameter-overrides") + 1 :]
        python = PROJECT / ".venv-sam/bin/python"
        command = [python, "-W", "ignore", "-c", UNDERSTAND, *overrides]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        understood: dict[str, str] = json.loads(done.stdout)
        return understood


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout that deploys nowhere."""
    for folder in ("deploy", "handlers", "models", ".venv-sam/bin"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("Makefile", "template.yaml", "samconfig.toml", "deploy/deploy.py"):
        shutil.copy(PROJECT / file, tmp_path / file)
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")
    (tmp_path / ".venv-sam/.ready").touch()
    made = Checkout(tmp_path)
    made.calls.touch()
    made.break_sam("nothing")
    return made


def test_it_builds_before_it_deploys(checkout: Checkout) -> None:
    """What is deployed was built just before, in the folder of the checkout."""
    done = checkout.make("MODE=DryRun")

    assert done.returncode == 0, done.stderr
    assert [one["arguments"][0] for one in checkout.told()] == ["build", "deploy"]
    assert {one["folder"] for one in checkout.told()} == {str(checkout.folder)}


def test_a_build_that_fails_deploys_nothing(checkout: Checkout) -> None:
    """After a failed build, neither what was built before nor the sources are deployed."""
    checkout.break_sam("build")

    assert checkout.make("MODE=DryRun").returncode != 0
    assert [one["arguments"][0] for one in checkout.told()] == ["build"]


def test_a_deployment_that_fails_fails_the_command(checkout: Checkout) -> None:
    """SAM CLI's failure is the command's."""
    checkout.break_sam("deploy")

    assert checkout.make("MODE=DryRun").returncode != 0


@pytest.mark.parametrize("mode", MODES)
def test_the_mode_is_always_deployed(checkout: Checkout, mode: str) -> None:
    """Another parameter beside the mode does not drop it, and what is not given is not touched."""
    checkout.make(f"MODE={mode}", "SweepSchedule=rate(6 hours)")

    assert checkout.deployed() == {"Mode": mode, "SweepSchedule": "rate(6 hours)"}


@pytest.mark.parametrize(("mode", "is_asked"), [("DryRun", False), ("Enforce", True)])
def test_only_what_deletes_is_asked_for(checkout: Checkout, mode: str, *, is_asked: bool) -> None:
    """Before it enforces, SAM CLI shows what would change and asks."""
    checkout.make(f"MODE={mode}")

    assert ("--confirm-changeset" in checkout.told()[-1]["arguments"]) is is_asked
    assert ("--no-confirm-changeset" in checkout.told()[-1]["arguments"]) is not is_asked


VALUES = {
    "AutoRemediation": "Disabled",
    "ExemptTagKey": "keep it = yes, 'always'",
    "GracePeriodDays": "30",
    "Regions": "us-east-1, eu-west-1",
    "SweepSchedule": "cron(0 6 * * ? *)",
    "NotificationEmail": "security+iam26@example.com",
    "MemberRoleName": "",
}


def test_every_value_arrives_as_it_was_given(checkout: Checkout) -> None:
    """Spaces, commas, quotes, equals signs and nothing at all reach SAM CLI unchanged."""
    done = checkout.make("MODE=DryRun", *(f"{name}={value}" for name, value in VALUES.items()))

    assert done.returncode == 0, done.stderr
    assert checkout.deployed() == {"Mode": "DryRun", **VALUES}


def test_variables_of_the_shell_are_none_of_the_stack(checkout: Checkout) -> None:
    """Only what stands on the command line is deployed, and none of it disturbs the build."""
    checkout.make("MODE=DryRun", "Architecture=x86_64", Regions="eu-west-1", AWS_PROFILE="mine")

    assert checkout.deployed() == {"Mode": "DryRun", "Architecture": "x86_64"}
    for one in checkout.told():
        assert one["environment"]["AWS_PROFILE"] == "mine"
        assert not {"MODE", "Architecture", "MAKEFLAGS"} & one["environment"].keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "MODE=DryRun"),
        (["MODE="], "MODE=DryRun"),
        (["MODE=dryrun"], "MODE=dryrun is neither DryRun nor Enforce."),
        (["Mode=Enforce"], "MODE=DryRun"),
        (["MODE=DryRun", "Mode=Enforce"], "no parameter Mode"),
        (["MODE=DryRun", "Region=us-east-1"], "no parameter Region"),
        (["MODE=DryRun", "PARAMETERS=Regions=us-east-1"], "no parameter PARAMETERS"),
        (["MODE=DryRun", 'ExemptTagKey=a"b'], "ExemptTagKey cannot hold"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_done(
    checkout: Checkout, words: list[str], said: str
) -> None:
    """A mode or name that does not exist is one line, before anything is built."""
    done = checkout.make(*words)
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]

    assert done.returncode != 0
    assert len(ours) == 1
    assert said in ours[0]
    assert checkout.told() == []


def test_the_mode_of_the_shell_is_none(checkout: Checkout) -> None:
    """A MODE that an earlier command exported does not decide whether something is deleted."""
    assert checkout.make(MODE="Enforce").returncode != 0
    assert checkout.told() == []


def test_sam_cli_is_configured_to_deploy_what_was_built() -> None:
    """Without the command, too, the sources are never packaged, nor a mode chosen silently."""
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text())
    deploy = config["default"]["deploy"]["parameters"]

    assert deploy["template_file"] == ".aws-sam/build/template.yaml"
    assert deploy["stack_name"] == "iam26-remediation"
    assert deploy["confirm_changeset"] is True
    assert deploy["capabilities"] == ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    assert "parameter_overrides" not in deploy


DOCUMENTS = ["README.md", "docs/runbook.md", "samconfig.toml", "CONTRIBUTING.md", "SECURITY.md"]


@pytest.mark.parametrize("file", DOCUMENTS)
def test_documents_deploy_with_the_one_command(file: str) -> None:
    """No document tells anyone to run SAM CLI's command, which forgets the build or the mode."""
    text = (PROJECT / file).read_text()
    commands = re.findall(r"^ *(?:\.venv-sam/bin/)?sam deploy.*$", text, re.MULTILINE)

    assert commands == []
    assert "--config-env" not in text


@pytest.mark.parametrize("file", ["README.md", "docs/runbook.md"])
def test_documented_deployments_are_accepted(file: str) -> None:
    """Each `make deploy` names a mode that exists and parameters that the template has."""
    text = (PROJECT / file).read_text().replace("\\\n", " ")
    commands = re.findall(r"make deploy ([^`#\n]+)", text)

    assert commands
    for command in commands:
        given = dict(re.findall(r"(\w+)=(\S+)", command))
        assert given.pop("MODE") in MODES, command
        assert given.keys() <= PARAMETERS, command
