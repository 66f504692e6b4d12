"""The files: Debian's Python 3.13, the libraries it wants, and Lambda's runtime client."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]
ROOT = PROJECT / "build" / "lambda-root"
REQUIREMENTS = PROJECT / "requirements" / "lambda.txt"
PYTHON = "usr/bin/python3.13"
SUITE = "trixie"
PACKAGES = (
    "ca-certificates",
    "coreutils",
    "dash",
    "libexpat1",
    "libffi8",
    "libpython3.13-stdlib",
    "libssl3t64",
    "libstdc++6",
    "libuuid1",
    "python3.13-minimal",
    "zlib1g",
)
# Debian's own scripts would make these links; nothing is run in there, only unpacked.
MERGED = ("bin", "lib", "lib64", "sbin")
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
    """Give the folder with the files, made now if it is not there yet (10 s, once)."""
    if (ROOT / "var/runtime/bootstrap").exists():
        return ROOT
    if not shutil.which("mmdebstrap"):
        raise LambdaImageError(
            "Neither Python 3.13 nor mmdebstrap is here: apt-get install mmdebstrap, as root"
        )
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.parent.mkdir(exist_ok=True)
    packages = f"--include={','.join(PACKAGES)}"
    run("mmdebstrap", "--quiet", "--variant=extract", packages, SUITE, str(ROOT))
    for name in MERGED:
        if (ROOT / "usr" / name).exists() and not (ROOT / name).exists():
            (ROOT / name).symlink_to(f"usr/{name}")
    (ROOT / "bin/sh").unlink(missing_ok=True)
    (ROOT / "bin/sh").symlink_to("dash")
    _write_launcher()
    _install_runtime_client()
    run(
        str(launcher()), "-m", "compileall", "-q", "-s", str(ROOT), str(ROOT / "usr/lib/python3.13")
    )
    bootstrap = ROOT / "var/runtime/bootstrap"
    bootstrap.write_text(BOOTSTRAP)
    bootstrap.chmod(0o755)
    return ROOT


def launcher() -> Path:
    """Give the script that starts this Python in its folder, on the machine's own kernel."""
    return ROOT.parent / "lambda-python"


def find_python() -> Path:
    """Give a Python 3.13 that runs on this machine: its own if there is one, else Debian's."""
    own = shutil.which("python3.13")
    if own and _runs(own):
        return Path(own)
    make_root()
    return launcher()


def run(*command: str, **environment: str) -> str:
    """Run a command, and give what it printed, or raise LambdaImageError with it."""
    done = subprocess.run(  # noqa: S603 - our own words
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise LambdaImageError(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


def _runs(python: str) -> bool:
    command = [python, "-c", "import ssl"]
    tried = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - it is on PATH
    return tried.returncode == 0


def _write_launcher() -> None:
    loader = next((ROOT / "usr").glob("lib*/ld-linux-*.so.*"), None) or next(
        (ROOT / "usr/lib").glob("*-linux-gnu/ld-linux-*.so.*")
    )
    libraries = next((ROOT / "usr/lib").glob("*-linux-gnu"))
    # Its own C library: the machine may have an older one.
    launcher().write_text(
        "#!/bin/sh\n"
        f"PYTHONHOME='{ROOT}/usr' exec '{loader}' --argv0 '{ROOT}/{PYTHON}' "
        f"--library-path '{libraries}' '{ROOT}/{PYTHON}' \"$@\"\n"
    )
    launcher().chmod(0o755)


def _install_runtime_client() -> None:
    uv = Path(sys.executable).with_name("uv")
    run(
        str(uv),
        *("pip", "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS)),
        *("--target", str(ROOT / "var/runtime"), "--python", str(launcher())),
    )
