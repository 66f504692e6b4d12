"""The deployed chain on this machine: ministack carries the events, mended moto has the rest."""

from local.chain.chain import Chain, ChainError

__all__ = ["Chain", "ChainError"]
