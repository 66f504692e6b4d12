"""AWS as a script: what each operation answers, as the bytes that the SDK really parses."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from handlers.aws.clients import Clients, Credentials, make_session
from handlers.aws.references.scan import SOURCES, Scan
from handlers.aws.references.source import Source
from models.reference import References
from models.settings import Settings
from tests.builders import NOW

HOME = "us-east-1"
# What items are called where it is not `member`, as CloudFront's and EC2's models have it.
ITEM_NAMES = {"regionInfo": "item", "Items": "DistributionSummary", "CNAMEs": "CNAME"}

ANSWERED_IN_JSON = frozenset(
    {
        "ListDomainNames",
        "GetFindings",
        "BatchUpdateFindings",
        "ListCertificates",
        "DescribeAlarms",
        "ListTagsForResource",
        "PutMetricAlarm",
        "DeleteAlarms",
        "PutMetricData",
    }
)

ONE_REGION = {"regionInfo": [{"regionName": HOME, "optInStatus": "opt-in-not-required"}]}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that AWS answers."""

    code: str
    message: str = ""
    status: int = 400


# A text is a whole body. An exception is raised instead, as when nothing can be reached.
Answer = Mapping[str, Any] | str | Refusal | Exception
Answers = Mapping[str, Sequence[Answer] | Answer]


@dataclass
class ScriptedAws:
    """Answers each call with what is written for its operation; the last answer stays.

    Attributes:
        answers: what each operation answers.
        region: the Region of the application.
        calls: the operations that were called, in order.
        parameters: what each of them was called with.
    """

    answers: Answers
    region: str = HOME
    calls: list[str] = field(default_factory=list)
    parameters: list[dict[str, Any]] = field(default_factory=list)

    def make_clients(self) -> Clients:
        """Return clients whose calls are answered from the script."""
        session = make_session(self.region)
        answer: Any = self._answer  # whose answer is taken, which the stubs do not say
        session.events.register("before-send", answer)
        session.events.register("before-parameter-build", self._note)
        signing = Credentials("AKIDEXAMPLE", "made-up", "made-up", NOW)
        return Clients(session, self.region, user_agent="test", credentials=signing)

    def scan(self, *sources: Source, settings: Settings | None = None) -> References:
        """Return what a scan sees."""
        scan = Scan(self.make_clients(), settings or Settings(), lambda: NOW, sources or SOURCES)
        return scan.run(None)

    def _note(self, params: dict[str, Any], **_: object) -> None:
        self.parameters.append(dict(params))

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self.calls.append(operation)
        answer = self._choose(operation)
        if isinstance(answer, Refusal):
            return _respond(request.url, _render_refusal(operation, answer), answer.status)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return _respond(request.url, answer)
        return _respond(request.url, _render(operation, answer))

    def _choose(self, operation: str) -> Answer:
        written = self.answers.get(operation, ONE_REGION if operation == "DescribeRegions" else {})
        if isinstance(written, Sequence) and not isinstance(written, str):
            return written[min(self.calls.count(operation), len(written)) - 1]
        return written


class _Raw(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def _respond(url: str, body: str, status: int = 200) -> AWSResponse:
    return AWSResponse(url, status, HTTPHeaders(), _Raw(body.encode()))


def _render_refusal(operation: str, refusal: Refusal) -> str:
    if operation in ANSWERED_IN_JSON:
        return json.dumps({"__type": refusal.code, "message": refusal.message})
    error = f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
    return f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"


def _render(operation: str, answer: Mapping[str, Any]) -> str:
    if operation in ANSWERED_IN_JSON:
        return json.dumps(answer)
    if operation == "ListDistributions":
        return _render_members(answer)
    members = _render_members(answer)
    if operation == "DescribeRegions":
        return f"<{operation}Response>{members}</{operation}Response>"
    return (
        f"<{operation}Response><{operation}Result>{members}"
        f"</{operation}Result></{operation}Response>"
    )


def _render_members(value: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{_render_value(name, one)}</{name}>" for name, one in value.items())


def _render_value(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        if name == "Aliases":
            return _render_members(value).replace("DistributionSummary>", "CNAME>")
        return _render_members(value)
    if isinstance(value, list):
        item = ITEM_NAMES.get(name, "member")
        return "".join(f"<{item}>{_render_value('', one)}</{item}>" for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(str(value))
