"""Answers that are not whole: each is a gap that names source, Region and what is wrong."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from models.reference import GLOBAL, Gap, GapKind
from tests.builders import make_certificate
from tests.unit.aws.scripted import HOME, Refusal, ScriptedAws
from tests.unit.aws.worlds import CASES, Case

Path = tuple[str | int, ...]

# Where nothing stands there is nothing to be understood: neither says what a holder holds.
SAYS_NOTHING = frozenset({"Value"})


def walk(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every member in answers."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield (*path, key)
            yield from walk(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from walk(one, (*path, index))


def drop(path: Path) -> Callable[[Any], None]:
    def change(answers: Any) -> None:
        for step in path[:-1]:
            answers = answers[step]
        del answers[path[-1]]

    return change


def put(value: Any, at: Path) -> Callable[[Any], None]:
    def change(answers: Any) -> None:
        for step in at[:-1]:
            answers = answers[step]
        answers[at[-1]] = value

    return change


def pick(kind: str, *members: str) -> list[Any]:
    """Return (kind, path) of every member of these names."""
    return [
        pytest.param(kind, path, id=".".join(map(str, (kind, *path))))
        for path in walk(CASES[kind].answers)
        if path[-1] in members
    ]


def find_gap(case: Case, change: Callable[[Any], object]) -> Gap:
    """Return the one gap that a scan has after a change of the answers."""
    references = ScriptedAws(case.change(change)).scan(case.source)
    assert not references.coverage, "counted as read"
    [gap] = references.gaps
    assert gap.source == case.source.name
    assert gap.region == (GLOBAL if case.source.is_global else HOME)
    return gap


@pytest.mark.parametrize("kind", CASES)
def test_whole_answers(kind: str) -> None:
    """Whole answers are read, and what is in them is found."""
    case = CASES[kind]
    aws = ScriptedAws(case.answers)

    references = aws.scan(case.source)

    assert references.gaps == ()
    assert len(references.find_holders(make_certificate())) == 1
    assert references.calls == len(aws.calls)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        pytest.param(kind, path, id=".".join(map(str, (kind, *path))))
        for kind, case in CASES.items()
        for path in walk(case.answers)
        if len(path) > 1 and path[-1] not in SAYS_NOTHING
    ],
)
@pytest.mark.parametrize("is_empty", [False, True], ids=["absent", "empty"])
def test_whatever_is_missing(kind: str, path: Path, *, is_empty: bool) -> None:
    """Whichever member is missing, a certificate in use never looks unused."""
    case = CASES[kind]
    answers = case.change(put("", path) if is_empty else drop(path))
    named_list = is_empty and isinstance(_read(case.answers, path), list)

    references = ScriptedAws(answers).scan(case.source)

    kept = (
        references.find_holders(make_certificate())
        or references.gaps
        or references.find_dangling((make_certificate(),))
    )
    # A list that is there and empty says that there is nothing.
    assert kept or (named_list and path[-1] != "Items")


def _read(answers: Any, path: Path) -> Any:
    for step in path:
        answers = answers[step]
    return answers


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        *pick("classic", "LoadBalancerDescriptions", "LoadBalancerName", "ListenerDescriptions"),
        *pick("listener", "LoadBalancers", "LoadBalancerArn", "LoadBalancerName", "Listeners"),
        *pick("listener", "ListenerArn", "CertificateArn"),
        *pick("cloudfront", "IsTruncated", "Quantity", "Id"),
        *pick("cloudfront", "ViewerCertificate"),
        *pick("appsync", "domainNameConfigs", "domainName"),
        *pick("environment", "Applications", "ConfigurationTemplates", "Environments"),
        *pick("environment", "ConfigurationSettings", "OptionSettings"),
    ],
)
def test_member_that_must_be_there(kind: str, path: Path) -> None:
    """The list of an answer and the name of an item are no matter of choice."""
    gap = find_gap(CASES[kind], drop(path))
    assert gap.kind is GapKind.INCOMPLETE
    assert f" has no {path[-1]}" in gap.cause


def test_listener_without_its_certificates() -> None:
    """An SNI list that is absent is not an empty one."""
    case = CASES["listener"]
    gap = find_gap(case, drop(("DescribeListenerCertificates", "Certificates")))
    assert gap.cause == "DescribeListenerCertificates of shop:443 has no Certificates"


class TestPages:
    """Pages that go on somewhere, or not."""

    def test_more_but_not_where(self) -> None:
        """A page that says there is more and not where is not the last one."""
        truncated = put(value=True, at=("ListDistributions", "DistributionList", "IsTruncated"))
        gap = find_gap(CASES["cloudfront"], truncated)
        assert gap.cause == "ListDistributions says that there is more, but not where"
        assert gap.kind is GapKind.INCOMPLETE

    def test_where_but_not_more(self) -> None:
        """A page that names the next one and says that there is none contradicts itself."""
        gap = find_gap(
            CASES["cloudfront"], put("E2", ("ListDistributions", "DistributionList", "NextMarker"))
        )
        assert gap.cause == "ListDistributions says where there is more, but not that there is"

    @pytest.mark.parametrize(
        ("kind", "operation", "member"),
        [
            ("classic", "DescribeLoadBalancers", "NextMarker"),
            ("listener", "DescribeLoadBalancers", "NextMarker"),
            ("listener", "DescribeListeners", "NextMarker"),
            ("listener", "DescribeListenerCertificates", "NextMarker"),
            ("appsync", "ListDomainNames", "nextToken"),
            ("environment", "DescribeEnvironments", "NextToken"),
        ],
    )
    @pytest.mark.parametrize("tokens", ["aa", "aba"])
    def test_circle(self, kind: str, operation: str, member: str, tokens: str) -> None:
        """Pages that go round in a circle never come to an end."""
        pages = [CASES[kind].answers[operation] | {member: token} for token in tokens]
        gap = find_gap(CASES[kind], put(pages, (operation,)))
        assert (gap.cause, gap.kind) == (
            "the same page was announced twice",
            GapKind.INCOMPLETE,
        )

    def test_circle_of_distributions(self) -> None:
        """CloudFront's pages are no exception."""
        listing = CASES["cloudfront"].answers["ListDistributions"]["DistributionList"]
        pages = [
            {"DistributionList": listing | {"IsTruncated": True, "NextMarker": marker}}
            for marker in "aba"
        ]
        gap = find_gap(CASES["cloudfront"], put(pages, ("ListDistributions",)))
        assert gap.cause == "the same page was announced twice"

    def test_empty_token_ends_the_list(self) -> None:
        """A next page without a name is none."""
        case = CASES["appsync"]
        aws = ScriptedAws(case.change(put("", ("ListDomainNames", "nextToken"))))
        assert aws.scan(case.source).gaps == ()


class TestCounts:
    """CloudFront counts what it lists, and leaves out a list that is empty."""

    LISTING = ("ListDistributions", "DistributionList")

    @pytest.mark.parametrize("quantity", [0, 2])
    def test_other_than_the_items(self, quantity: int) -> None:
        """A count that differs from the items is not believed, in either direction."""
        gap = find_gap(CASES["cloudfront"], put(quantity, (*self.LISTING, "Quantity")))
        assert gap.cause == f"ListDistributions has 1 Items, but the Quantity {quantity}"

    def test_without_items(self) -> None:
        """A count without items is not an empty list."""
        gap = find_gap(CASES["cloudfront"], drop((*self.LISTING, "Items")))
        assert gap.cause == "ListDistributions has 0 Items, but the Quantity 1"

    def test_nothing(self) -> None:
        """An account without distributions has no list of them, as AWS documents it."""
        nothing = {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": 0}
        case = CASES["cloudfront"]
        references = ScriptedAws(case.change(put(nothing, self.LISTING))).scan(case.source)
        assert references.gaps == ()
        assert [one.examined for one in references.coverage] == [0]


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("classic", ("DescribeLoadBalancers", "LoadBalancerDescriptions", 0), {}),
        ("listener", ("DescribeListeners", "Listeners", 0), {}),
        ("cloudfront", ("ListDistributions", "DistributionList", "Items", 0), {}),
        ("appsync", ("ListDomainNames", "domainNameConfigs", 0), None),
        ("appsync", ("ListDomainNames", "domainNameConfigs"), "nothing"),
        ("appsync", ("ListDomainNames", "domainNameConfigs"), None),
        ("saved", ("DescribeApplications", "Applications", 0, "ConfigurationTemplates", 0), ""),
        (
            "classic",
            (
                *("DescribeLoadBalancers", "LoadBalancerDescriptions", 0),
                *("ListenerDescriptions", 0, "Listener", "LoadBalancerPort"),
            ),
            "many",
        ),
    ],
)
def test_what_makes_no_sense(kind: str, path: Path, value: object) -> None:
    """What the SDK or we cannot understand is a gap, and never an unexpected error."""
    assert find_gap(CASES[kind], put(value, path)).kind is GapKind.INCOMPLETE


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("classic", "<DescribeLoadBalancersResponse/>"),
        ("classic", "<ErrorResponse><Error><Code>Odd</Code></Error></ErrorResponse>"),
        ("listener", "<DescribeLoadBalancersResponse/>"),
        ("cloudfront", "<Nothing/>"),
        ("cloudfront", ""),
        ("appsync", "[]"),
        ("appsync", "{}"),
        ("appsync", ""),
        ("appsync", "<html>Please log in.</html>"),
        ("environment", "<DescribeApplicationsResponse/>"),
    ],
)
def test_body_of_another_form(kind: str, body: str) -> None:
    """A body that has nothing of what it must have is a gap."""
    case = CASES[kind]
    first = next(iter(case.answers))
    assert find_gap(case, put(body, (first,))).kind is GapKind.INCOMPLETE


@pytest.mark.parametrize("kind", ["environment", "saved"])
def test_settings_of_something_else(kind: str) -> None:
    """Settings that are not of what was asked for are no answer."""
    settings = "DescribeConfigurationSettings"
    name = "EnvironmentName" if kind == "environment" else "TemplateName"
    other = put("other", (settings, "ConfigurationSettings", 0, name))
    gap = find_gap(CASES[kind], other)
    assert gap.cause.startswith("no settings of ")
    assert gap.kind is GapKind.DENIED


class TestErrors:
    """What kind of gap an error leaves."""

    @pytest.mark.parametrize("kind", CASES)
    @pytest.mark.parametrize(
        ("code", "message", "expected"),
        [
            ("AccessDenied", "no identity-based policy allows it", GapKind.DENIED),
            ("UnauthorizedOperation", "", GapKind.DENIED),
            (
                "AccessDenied",
                "with an explicit deny in a service control policy",
                GapKind.DENIED_BY_POLICY,
            ),
            ("AuthFailure", "", GapKind.REJECTED_CREDENTIALS),
            ("OptInRequired", "", GapKind.REJECTED_CREDENTIALS),
            ("UnrecognizedClientException", "", GapKind.REJECTED_CREDENTIALS),
            ("InvalidClientTokenId", "", GapKind.REJECTED_CREDENTIALS),
            ("UnknownOperationException", "", GapKind.OTHER),
            ("ValidationError", "", GapKind.OTHER),
        ],
    )
    def test_kind(self, kind: str, code: str, message: str, expected: GapKind) -> None:
        """An error is a missing permission only if a permission is missing."""
        case = CASES[kind]
        first = next(iter(case.answers))
        references = ScriptedAws(case.change(put(Refusal(code, message), (first,)))).scan(
            case.source
        )
        [gap] = references.gaps
        assert gap.kind is expected
        assert code in gap.cause
