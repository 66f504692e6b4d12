"""AWS on this machine: moto, patched where it differs from AWS in what this project depends on."""

from local.aws.server import LocalAws, in_process

__all__ = ["LocalAws", "in_process"]
