"""What an answer of AWS must have, whatever the SDK's models leave open.

boto3 passes on what it gets: a list that is absent looks like an empty one, and a proof that
rests on either would be worth the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError
from pydantic import ValidationError

from models.base import Model
from models.errors import describe_invalid
from models.reference import GapKind

R = TypeVar("R")
M = TypeVar("M", bound=Model)

# Where the answers of the sources say how to ask for the next page.
CONTINUATIONS = ("NextMarker", "NextToken", "nextToken")


class IncompleteReadingError(Exception):
    """A source answered, but not all that it must; the message says what is missing."""

    def __init__(self, message: str, kind: GapKind = GapKind.INCOMPLETE) -> None:
        super().__init__(message)
        self.kind = kind


def understand(call: Callable[[], R]) -> R:
    """Return what a call of AWS returns.

    Raises:
        IncompleteReadingError: the SDK makes no sense of the answer.
    """
    try:
        return call()
    except BotoCoreError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # The SDK's parsers take it for granted that a number is one, and a list a list.
        raise IncompleteReadingError(
            f"an answer that cannot be understood: {type(error).__name__}"
        ) from error


def require_list(answer: Mapping[str, Any], name: str, of: str) -> Sequence[Any]:
    """Return a list that an answer must have, though it may be empty.

    Args:
        answer: the answer, or a part of it.
        name: the list's name in it.
        of: what `answer` is, in a few words.

    Raises:
        IncompleteReadingError: it is absent, or has an item that says nothing.
    """
    items = answer.get(name)
    if not isinstance(items, list):
        raise IncompleteReadingError(f"{of} has no {name}")
    if not all(items):
        raise IncompleteReadingError(f"{of} has an empty item in {name}")
    return items


def require_part(answer: Mapping[str, Any], name: str, of: str) -> Mapping[str, Any]:
    """Return a structure that an answer must have.

    Raises:
        IncompleteReadingError: it is absent.
    """
    part = answer.get(name)
    if not isinstance(part, Mapping):
        raise IncompleteReadingError(f"{of} has no {name}")
    return part


def require_text(answer: Mapping[str, Any], name: str, of: str) -> str:
    """Return a text that an answer must have and that must not be empty.

    Raises:
        IncompleteReadingError: it is absent or empty.
    """
    text = answer.get(name)
    if not isinstance(text, str) or not text.strip():
        raise IncompleteReadingError(f"{of} has no {name}")
    return text


def require_tags(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return tags by their keys.

    Raises:
        IncompleteReadingError: one has no key.
    """
    return {require_text(tag, "Key", "a tag"): str(tag.get("Value", "")) for tag in tags}


def parse_part(model: type[M], part: Mapping[str, Any], of: str) -> M:
    """Return the model of a part of an answer.

    Raises:
        IncompleteReadingError: it lacks a field, or has one that is not understood.
    """
    try:
        return model.model_validate(part)
    except ValidationError as error:
        raise IncompleteReadingError(f"{of} has {describe_invalid(error)}") from error


def require_counted(answer: Mapping[str, Any], of: str) -> Sequence[Any]:
    """Return the items of a list that says how many they are; CloudFront leaves out empty ones.

    https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionList.html

    Raises:
        IncompleteReadingError: there is no count, or not as many items as it says.
    """
    quantity, items = answer.get("Quantity"), answer.get("Items", [])
    if not isinstance(quantity, int) or not isinstance(items, list):
        raise IncompleteReadingError(f"{of} has no Quantity")
    if quantity != len(items):
        raise IncompleteReadingError(f"{of} has {len(items)} Items, but the Quantity {quantity}")
    if not all(items):
        raise IncompleteReadingError(f"{of} has an empty item in Items")
    return items


def check_truncation(answer: Mapping[str, Any], of: str, marker: str = "NextMarker") -> None:
    """Make sure that an answer says where it goes on if, and only if, it says that it does.

    Raises:
        IncompleteReadingError: it does not.
    """
    truncated = answer.get("IsTruncated")
    if not isinstance(truncated, bool):
        raise IncompleteReadingError(f"{of} has no IsTruncated")
    if truncated and not answer.get(marker):
        raise IncompleteReadingError(f"{of} says that there is more, but not where")
    if answer.get(marker) and not truncated:
        raise IncompleteReadingError(f"{of} says where there is more, but not that there is")


def find_next_page(page: Mapping[str, Any]) -> str | None:
    """Return what a page calls the one that follows it, or None if it is the last one."""
    # CloudFront wraps its whole answer into one member.
    listing = page.get("DistributionList") or page
    return next((str(listing[name]) for name in CONTINUATIONS if listing.get(name)), None)
