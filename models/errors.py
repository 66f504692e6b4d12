"""The errors that end the path of a finding."""

from pydantic import ValidationError

from models.text import fit_list, fit_words

SHOWN_VALUE_LENGTH = 120
SHOWN_ERRORS_LENGTH = 4000


class EventError(ValueError):
    """The input is no event this application knows; the message names the field and its value."""


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used; the message names both."""


class TransientError(Exception):
    """AWS could not answer now. Nothing is decided, and the same work may succeed later."""


def describe_invalid(error: ValidationError) -> str:
    """Give one line that names the invalid fields of a validation error, and their values."""
    causes = [
        _describe_cause(_describe_field(detail["loc"]), detail["type"], detail["msg"], value)
        for detail in error.errors(include_url=False, include_context=False)
        for value in [detail["input"]]
    ]
    return fit_list(causes, SHOWN_ERRORS_LENGTH)


def _describe_field(location: tuple[int | str, ...]) -> str:
    # The key of a map is the sender's own text.
    field = ".".join(map(str, location))
    return fit_words(field if field.isprintable() else repr(field), SHOWN_VALUE_LENGTH)


def _describe_cause(field: str, kind: str, message: str, value: object) -> str:
    message = message.removeprefix("Value error, ")
    if not field:
        # The value of no single field is the whole input, which a log must not repeat.
        return message
    if kind == "missing":
        return f"{field}: is missing"
    shown = repr(value)
    if len(shown) > SHOWN_VALUE_LENGTH:
        shown = f"{shown[:SHOWN_VALUE_LENGTH]}…"
    return f"{field}: {message}, got {shown}"
