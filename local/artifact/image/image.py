"""The image: what `sam local` starts, under the name that it looks for."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess

from local.artifact.image.root import LambdaImageError, make_root, run

REPOSITORY = "public.ecr.aws/lambda/python"
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
IMAGE = f"{REPOSITORY}:3.13-{ARCHITECTURE}"
# SAM CLI's own layer over it, which it would go on using after the image under it has changed.
WITH_SAM = f"{REPOSITORY}:3.13-rapid-{ARCHITECTURE}"
LABEL = "iam26.stand-in"
CHANGES = (
    "ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 TZ=:UTC",
    "ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime",
    "WORKDIR /var/task",
    f"LABEL {LABEL}=debian-trixie",
)


def has_docker() -> bool:
    """Return whether a Docker daemon answers."""
    if not shutil.which("docker"):
        return False
    asked = subprocess.run(["docker", "info"], capture_output=True, check=False)  # noqa: S607
    return asked.returncode == 0


def has_image() -> bool:
    """Return whether the image is here, AWS's or the stand-in."""
    return _inspect(IMAGE) is not None


def is_stand_in() -> bool:
    """Return whether the image that is here was made by us."""
    found = _inspect(IMAGE)
    return bool(found and LABEL in (found["Config"].get("Labels") or {}))


def import_image() -> str:
    """Make the stand-in, under the name of AWS's image, and return that name."""
    if not has_docker():
        raise LambdaImageError("No Docker daemon answers: as root, `dockerd &` starts one")
    if has_image() and not is_stand_in():
        raise LambdaImageError(f"{IMAGE} is here already, and it is AWS's own: nothing to do")
    root = make_root()
    remove = ["docker", "image", "rm", "--force", WITH_SAM, IMAGE]
    subprocess.run(remove, capture_output=True, check=False)  # noqa: S603 - our own images
    changes = " ".join(f"--change '{change}'" for change in CHANGES)
    run("sh", "-c", f"tar -C '{root}' -c . | docker import {changes} - {IMAGE}")
    return IMAGE


def _inspect(image: str) -> dict[str, dict[str, dict[str, str]]] | None:
    command = ["docker", "image", "inspect", image]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if found.returncode:
        return None
    answer: list[dict[str, dict[str, dict[str, str]]]] = json.loads(found.stdout)
    return answer[0]
