"""The deployed chain on this machine: ministack carries the events, patched moto has the rest."""

from local.artifact.chain.chain import Chain, ChainError

__all__ = ["Chain", "ChainError"]
