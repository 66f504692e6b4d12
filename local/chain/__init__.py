"""The deployed chain on this machine: ministack for what carries events, mended moto for the rest."""

from local.chain.chain import Chain, ChainError

__all__ = ["Chain", "ChainError"]
