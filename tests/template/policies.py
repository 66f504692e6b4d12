"""What the policies of a template allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.fixtures.stack import Stack, Statement


def list_of(value: Any) -> list[Any]:
    """Return a list of what a policy may write as a single value or as a list."""
    return value if isinstance(value, list) else [value]


def list_actions(statements: list[Statement]) -> set[str]:
    """Return every action that statements allow."""
    return {
        action
        for statement in statements
        if statement["Effect"] == "Allow"
        for action in list_of(statement["Action"])
    }


def find_policy(stack: Stack, kind: str, target: str) -> list[Statement]:
    """Return the statements of the resource policy of a queue, a topic or a bucket.

    Args:
        stack: the stack that has it.
        kind: the type of the policy.
        target: the Ref of what the policy is attached to, such as `<Queue>`.
    """
    return [
        statement
        for policy in stack.of_type(kind).values()
        if target in _list_targets(policy["Properties"])
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def _list_targets(properties: Mapping[str, Any]) -> Iterator[str]:
    for key in ("Queues", "Topics", "Bucket"):
        yield from list_of(properties.get(key, []))
