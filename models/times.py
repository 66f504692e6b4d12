"""Times as AWS writes them: ISO 8601 and nothing else.

pydantic would also take a number, or its digits, for seconds since 1970.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T")


def require_iso(value: object) -> datetime | str:
    """Return a time, or the text of one.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, datetime) or (isinstance(value, str) and ISO_TIME.match(value)):
        return value
    raise ValueError("is no time in ISO 8601")


def _convert_to_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


def _drop_unreadable(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except (OverflowError, ValidationError):
        return None


# Where what cannot be read is as good as nothing.
Lenient = WrapValidator(_drop_unreadable)

UtcTime = Annotated[AwareDatetime, BeforeValidator(require_iso), AfterValidator(_convert_to_utc)]
