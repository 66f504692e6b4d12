"""`make deploy`: build what is here, and deploy it in the mode that was named.

Every parameter of the template can be given as a variable of make. One that is not given keeps the
value of the last deployment, except the mode, which must be named each time: whoever changes the
schedule says again whether the stack deletes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml  # type: ignore[import-untyped] # moto brings it; it ships no types

PROJECT = Path(__file__).parents[1]
SAM = PROJECT / ".venv-sam" / "bin" / "sam"
MODES = {
    "DryRun": "--no-confirm-changeset",
    # What it would change is shown first, and asked for.
    "Enforce": "--confirm-changeset",
}
# Variables of the Makefile that are none of the stack.
OF_MAKE = frozenset({"MODE", "PYTHON"})
_WORD = re.compile(r"(?:\\.|[^\s\\])+")


class DeployError(Exception):
    """What was asked for cannot be deployed."""


def main() -> int:
    """Return the exit status, after a line that says what is wrong or after SAM CLI's own words."""
    try:
        parameters = read_parameters(os.environ, list_parameters())
    except DeployError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    environment = make_environment(os.environ, parameters)
    for command in (
        ["build"],
        ["deploy", MODES[parameters["Mode"]], *make_options(parameters)],
    ):
        done = subprocess.run([SAM, *command], cwd=PROJECT, env=environment, check=False)  # noqa: S603 - our own SAM CLI
        if done.returncode:
            return done.returncode
    return 0


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # the base is untyped
    """Reads a template, whose short forms of functions matter to nobody here."""


_Loader.add_multi_constructor("!", lambda *_: None)


def list_parameters() -> list[str]:
    """Return the names of the template's parameters."""
    template = yaml.load((PROJECT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a safe one
    return list(template["Parameters"])


def read_parameters(environment: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """Return the parameters that were given to make, the mode first.

    Raises:
        DeployError: no mode, one that does not exist, or a name that the template does not have.
    """
    names = list_given(environment.get("MAKEFLAGS", ""))
    mode = environment.get("MODE", "") if "MODE" in names else ""
    if not mode:
        raise DeployError(
            "Say what the stack may do: `make deploy MODE=DryRun` writes notes and deletes nothing,"
            " `make deploy MODE=Enforce` deletes what is proven expired and unused."
        )
    if mode not in MODES:
        raise DeployError(f"MODE={mode} is neither {' nor '.join(MODES)}.")
    others = [name for name in known if name != "Mode"]
    for name in names:
        if name not in OF_MAKE and name not in others:
            raise DeployError(f"There is no parameter {name}. There are MODE, {', '.join(others)}.")
    given = {name: environment[name] for name in others if name in names}
    for name, value in given.items():
        if '"' in value or "\\" in value:
            raise DeployError(f"{name} cannot hold a quotation mark or a backslash.")
    return {"Mode": mode, **given}


def list_given(flags: str) -> set[str]:
    """Return the names of the variables on make's command line, which its MAKEFLAGS end with.

    Variables of the shell are in the same environment, but nobody meant them for the stack.
    """
    _, _, variables = f" {flags}".partition(" -- ")
    return {word.partition("=")[0].rstrip(":") for word in _WORD.findall(variables)}


def make_environment(environment: Mapping[str, str], given: Iterable[str]) -> dict[str, str]:
    """Return the environment of SAM CLI, whose build runs a make of its own."""
    ours = {*given, *OF_MAKE, "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL"}
    kept = {name: value for name, value in environment.items() if name not in ours}
    return kept | {"SAM_CLI_TELEMETRY": "0"}


def make_options(parameters: Mapping[str, str]) -> list[str]:
    """Return the options that set parameters, quoted as SAM CLI unquotes them."""
    return ["--parameter-overrides", *(f'{name}="{value}"' for name, value in parameters.items())]


if __name__ == "__main__":
    sys.exit(main())
