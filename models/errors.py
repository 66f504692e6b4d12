"""The errors that end the path of a finding, and that its steps distinguish."""

import re

from pydantic import ValidationError

from models.text import fit_list, fit_words

SHOWN_VALUE_LENGTH = 120
SHOWN_ERRORS_LENGTH = 4000

DENIAL = re.compile("Denied|Unauthorized|NotAuthorized|AuthorizationError|AuthFailure|Forbidden")


class EventError(ValueError):
    """The input is no event this application knows; the message names the field and its value."""


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used; the message names both."""


class TransientError(Exception):
    """AWS could not answer now. Nothing is decided, and the same work may succeed later."""


class AwsCallError(Exception):
    """AWS refused a call for good: the same call would be refused again."""

    def __init__(self, operation: str, code: str, *, denied_by_policy: bool = False) -> None:
        super().__init__(f"{operation} answered {code}")
        self.operation = operation
        self.code = code
        self.denied_by_policy = denied_by_policy

    @property
    def is_denial(self) -> bool:
        """Whether a permission is missing, in whichever of the services' wordings."""
        return bool(DENIAL.search(self.code))

    @property
    def cause(self) -> str:
        """The error in a few words that stay the same from one time to the next."""
        if self.denied_by_policy:
            return f"{self.code} by a service control policy"
        return self.code


class CertificateGoneError(Exception):
    """IAM has no server certificate of this name."""


class DeleteUnansweredError(TransientError):
    """IAM did not say whether it deleted a server certificate; only another look can tell."""


class CertificateInUseError(Exception):
    """IAM did not delete a server certificate because something uses it; the message says what."""


def describe_invalid(error: ValidationError, within: tuple[int | str, ...] = ()) -> str:
    """Return one line that names the invalid fields of a validation error, and their values.

    Args:
        error: what was found invalid.
        within: where in the whole input that stands, such as `("detail", "findings", 0)`.
    """
    causes = [
        _describe_cause(
            _describe_field((*within, *detail["loc"])), detail["type"], detail["msg"], value
        )
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
