"""The errors that end the path of a finding."""

from pydantic import ValidationError

SHOWN_VALUE_LENGTH = 120


class EventError(ValueError):
    """The input is no event this application knows; the message names the field and its value."""


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used; the message names both."""


class TransientError(Exception):
    """AWS could not answer now. Nothing is decided, and the same work may succeed later."""


def describe_invalid(error: ValidationError) -> str:
    """Give one line that names every invalid field of a validation error, and its value."""
    return "; ".join(
        _describe_cause(".".join(map(str, detail["loc"])), detail["type"], detail["msg"], value)
        for detail in error.errors(include_url=False, include_context=False)
        for value in [detail["input"]]
    )


def _describe_cause(field: str, kind: str, message: str, value: object) -> str:
    if not field:
        # The value of no single field is the whole input, which a log must not repeat.
        return message
    if kind == "missing":
        return f"{field}: is missing"
    shown = repr(value)
    if len(shown) > SHOWN_VALUE_LENGTH:
        shown = f"{shown[:SHOWN_VALUE_LENGTH]}…"
    return f"{field}: {message}, got {shown}"
