"""The files: Debian's Python 3.13, the libraries it wants, and Lambda's runtime client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]
ROOT = PROJECT / "build" / "lambda" / "root"
SCRIPTS = PROJECT / "deploy" / "artifact"
REQUIREMENTS = PROJECT / "requirements" / "lambda.txt"
# What Lambda's image has beside Python, as far as a function needs it.
PACKAGES = ("ca-certificates", "coreutils", "dash", "libstdc++6")
BOOTSTRAP = """\
#!/bin/sh
# What Lambda's image starts for each environment of a Python function.
cd "${LAMBDA_TASK_ROOT:-/var/task}" || exit 1
export PYTHONPATH="$LAMBDA_TASK_ROOT:${IAM26_RUNTIME:-/var/runtime}"
exec "${IAM26_PYTHON:-/usr/bin/python3.13}" -m awslambdaric "$_HANDLER"
"""


class LambdaImageError(RuntimeError):
    """The stand-in for Lambda's image cannot be made here."""


def make_root() -> Path:
    """Return the folder with the files, made now if it is not there yet (20 s, once)."""
    bootstrap = ROOT / "var/runtime/bootstrap"
    if bootstrap.exists():
        return ROOT
    run("bash", str(SCRIPTS / "unpack-python.sh"), str(ROOT.parent), *PACKAGES)
    # No package brings it, and a function may write there.
    (ROOT / "tmp").mkdir()
    (ROOT / "tmp").chmod(0o1777)
    (ROOT / "bin/sh").unlink(missing_ok=True)
    (ROOT / "bin/sh").symlink_to("dash")
    _install_runtime_client()
    run(
        str(launcher()), "-m", "compileall", "-q", "-s", str(ROOT), str(ROOT / "usr/lib/python3.13")
    )
    bootstrap.write_text(BOOTSTRAP)
    bootstrap.chmod(0o755)
    return ROOT


def launcher() -> Path:
    """Return the script that starts this Python in its folder, on the machine's own kernel."""
    return ROOT.parent / "python"


def find_python() -> Path:
    """Return a Python 3.13 that runs on this machine: its own if there is one, else Debian's."""
    return Path(run("bash", str(SCRIPTS / "find-python.sh")).strip())


def run(*command: str) -> str:
    """Run a command, and return what it printed, or raise LambdaImageError with it."""
    done = subprocess.run(  # noqa: S603 - our own words
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LambdaImageError(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


def _install_runtime_client() -> None:
    uv = Path(sys.executable).with_name("uv")
    run(
        str(uv),
        *("pip", "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS)),
        *("--target", str(ROOT / "var/runtime"), "--python", str(launcher())),
    )
