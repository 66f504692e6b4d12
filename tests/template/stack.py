"""A template as CloudFormation sees it: parsed, and with its intrinsic functions resolved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode import decode  # type: ignore[import-untyped] # cfn-lint ships no types

PROJECT = Path(__file__).parents[2]
ACCOUNT = "111122223333"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "iam26-remediation",
}
NOTHING = object()
_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")

Resource = dict[str, Any]
Statement = dict[str, Any]


@dataclass(frozen=True)
class Stack:
    """A template with values for its parameters.

    What only AWS knows is a placeholder: `<Queue>` is a resource's Ref, `<Queue.Arn>` its ARN.
    """

    template: dict[str, Any]
    values: Mapping[str, Any]

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The parameters as they are declared."""
        return dict(self.template.get("Parameters", {}))

    @property
    def resources(self) -> dict[str, Resource]:
        """The resources that these values create, by logical id."""
        return {
            name: self.resolve(resource)
            for name, resource in self.template["Resources"].items()
            if self._is_met(resource.get("Condition"))
        }

    @property
    def outputs(self) -> dict[str, Any]:
        """The values of the outputs by name."""
        return {name: self.resolve(one["Value"]) for name, one in self.template["Outputs"].items()}

    def properties(self, name: str) -> dict[str, Any]:
        """Return the properties of a resource."""
        return dict(self.resources[name]["Properties"])

    def function(self, name: str) -> dict[str, Any]:
        """Return the properties of a function, with those that all functions share."""
        return _merge(self.resolve(self.template["Globals"]["Function"]), self.properties(name))

    def nested(self, name: str) -> Stack:
        """Return the stack that a resource nests, with the parameters that it is passed."""
        properties = self.properties(name)
        return load_stack(properties["TemplateURL"], **properties.get("Parameters", {}))

    def of_type(self, kind: str) -> dict[str, Resource]:
        """Return the resources of a type."""
        return {name: one for name, one in self.resources.items() if one["Type"] == kind}

    def statements(self, role: str) -> list[Statement]:
        """Return the statements of a role's policies."""
        return [
            statement
            for policy in self.properties(role)["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def resolve(self, node: Any) -> Any:
        """Return a part of the template with its intrinsic functions resolved."""
        if isinstance(node, list):
            return [one for one in map(self.resolve, node) if one is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, operand),) = node.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, operand)
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not NOTHING}

    def _call(self, name: str, operand: Any) -> Any:  # noqa: PLR0911 - one per intrinsic function
        match name:
            case "Ref":
                return self._refer(operand)
            case "Fn::GetAtt":
                return f"<{'.'.join(operand)}>"
            case "Fn::Sub":
                return self._substitute(operand)
            case "Fn::If":
                condition, then, otherwise = operand
                return self.resolve(then if self._is_met(condition) else otherwise)
            case "Fn::Equals":
                left, right = self.resolve(operand)
                return left == right
            case "Fn::Not":
                return not self._decide(operand[0])
            case "Fn::FindInMap":
                table, row, column = self.resolve(operand)
                return self.template["Mappings"][table][row][column]
        raise ValueError(f"{name} is not resolved here")

    def _refer(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NOTHING
        if name in self.template.get("Parameters", {}):
            declared = self.template["Parameters"][name]
            return self.values.get(name, declared.get("Default"))
        return self.values.get(name, PSEUDO_PARAMETERS.get(name, f"<{name}>"))

    def _substitute(self, operand: Any) -> str:
        text, own = operand if isinstance(operand, list) else (operand, {})

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in own:
                return str(self.resolve(own[name]))
            return f"<{name}>" if "." in name else str(self._refer(name))

        return _PLACEHOLDER.sub(replace, text)

    def _is_met(self, condition: str | None) -> bool:
        return condition is None or self._decide(self.template["Conditions"][condition])

    def _decide(self, condition: dict[str, Any]) -> bool:
        if "Condition" in condition:
            return self._is_met(condition["Condition"])
        return bool(self.resolve(condition))


def load_stack(path: str = "template.yaml", **values: Any) -> Stack:
    """Return a template of the project with values for its parameters, pseudo ones included."""
    return Stack(_read_template(path), values)


@cache
def _read_template(path: str) -> dict[str, Any]:
    template, problems = decode(str(PROJECT / path))
    if problems:
        raise ValueError(f"{path}: {problems}")
    # cfn-lint returns subclasses of str and dict that remember their line.
    return dict(json.loads(json.dumps(template)))


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


def _merge(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a function's own properties over the shared ones, objects merged as SAM does."""
    merged = shared | own
    for key in shared.keys() & own.keys():
        if isinstance(shared[key], dict):
            merged[key] = _merge(shared[key], own[key])
    return merged


def _list_targets(properties: Mapping[str, Any]) -> Iterator[str]:
    for key in ("Queues", "Topics", "Bucket"):
        yield from list_of(properties.get(key, []))
