"""AWS on this machine: moto, mended where it differs from AWS in what this project depends on."""

from local.aws import LocalAws, in_process

__all__ = ["LocalAws", "in_process"]
