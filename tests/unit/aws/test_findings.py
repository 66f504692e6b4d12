"""Security Hub's answers: only what is understood of them counts."""

from collections.abc import Callable
from typing import Any

import pytest

from handlers.aws.findings import Findings
from models.errors import AwsCallError, EventError
from models.finding import Finding, FindingKey, Stranger
from tests.builders import ACCOUNT, PRODUCT_ARN, make_finding, make_raw_finding
from tests.unit.aws.scripted import Answer, ScriptedAws

OTHER_REGION = "arn:aws:securityhub:eu-west-1::product/aws/securityhub"
KEY = FindingKey("finding/1", PRODUCT_ARN)


def make_raw(**fields: Any) -> dict[str, Any]:
    return make_raw_finding(**{"Id": KEY.id} | fields)


def read(*pages: Answer, keys: tuple[FindingKey, ...] = (KEY,)) -> dict[FindingKey, Any]:
    """Return what is read of these answers, one after the other."""
    return dict(ask(*pages).read(keys))


def ask(*pages: Answer) -> Findings:
    """Return Security Hub with these answers, one after the other."""
    clients = ScriptedAws({"GetFindings": pages}).make_clients()
    return Findings(clients, sleep=lambda _: None)


class TestRead:
    """Findings as they are now."""

    def test_under_its_key(self) -> None:
        """A finding is returned under its id and product, and one that is not there is left out."""
        missing = FindingKey("finding/2", PRODUCT_ARN)
        assert read({"Findings": [make_raw()]}, keys=(KEY, missing)) == {
            KEY: make_finding(Id=KEY.id)
        }

    def test_same_id_of_another_product(self) -> None:
        """A finding with the same id and another product is another one."""
        theirs = make_raw(ProductArn=OTHER_REGION, RecordState="ARCHIVED")
        assert read({"Findings": [theirs]}) == {}
        assert read({"Findings": [theirs, make_raw(), theirs]}) == {KEY: make_finding(Id=KEY.id)}

    def test_twenty_ids_a_call(self) -> None:
        """One call asks for twenty findings, whatever their Regions."""
        keys = [FindingKey(f"finding/{n}", (PRODUCT_ARN, OTHER_REGION)[n % 2]) for n in range(41)]
        for count, calls in ((20, 1), (21, 2), (41, 3)):
            aws = ScriptedAws({"GetFindings": {"Findings": []}})
            Findings(aws.make_clients()).read(keys[:count])
            assert aws.calls == ["GetFindings"] * calls

    @pytest.mark.parametrize(
        "answer", [{}, {"Findings": None}, {"Findings": [None]}, {"Findings": [{}]}]
    )
    def test_answer_without_findings(self, answer: dict[str, Any]) -> None:
        """An answer without its list is an error that names the call."""
        with pytest.raises(AwsCallError, match="GetFindings answered a page has"):
            read(answer)

    def test_later_page_without_findings(self) -> None:
        """So is one on a later page: what came before is not all."""
        with pytest.raises(AwsCallError):
            read({"Findings": [make_raw()], "NextToken": "2"}, {})

    def test_item_without_a_key(self) -> None:
        """An item that does not say which finding it is stands for none."""
        keyless = [make_raw(Id=None), make_raw(ProductArn=None), {"Title": "odd"}]
        assert read({"Findings": [*keyless, make_raw()]}) == {KEY: make_finding(Id=KEY.id)}

    def test_shown_twice(self) -> None:
        """A finding on two pages is one, if both say the same."""
        pages = ({"Findings": [make_raw()], "NextToken": "2"}, {"Findings": [make_raw()]})
        assert read(*pages) == {KEY: make_finding(Id=KEY.id)}

    @pytest.mark.parametrize("statuses", [("NEW", "SUPPRESSED"), ("SUPPRESSED", "NEW")])
    def test_shown_in_two_versions(self, statuses: tuple[str, str]) -> None:
        """If they differ, neither is believed."""
        versions = [make_raw(Workflow={"Status": status}) for status in statuses]
        [shown] = read({"Findings": versions}).values()
        assert isinstance(shown, EventError)
        assert KEY.id in str(shown)

    def test_not_understood(self) -> None:
        """One that is not understood is an error that names it and the field."""
        [shown] = read({"Findings": [make_raw(CreatedAt="yesterday")]}).values()
        assert isinstance(shown, EventError)
        assert str(shown).startswith("finding/1.CreatedAt: ")

    def test_not_ours(self) -> None:
        """One that is not understood but not ours is a stranger."""
        raw = make_raw(CreatedAt="yesterday", Compliance={"SecurityControlId": "EC2.1"})
        [shown] = read({"Findings": [raw]}).values()
        assert isinstance(shown, Stranger)
        assert shown.trait == "the finding is of control EC2.1"

    def test_times_as_the_format_allows_them(self) -> None:
        """An offset without minutes and a second of 60 are understood."""
        [shown] = read({"Findings": [make_raw(CreatedAt="2024-01-04T15:25:60+05")]}).values()
        assert isinstance(shown, Finding)
        assert shown.created_at.isoformat() == "2024-01-04T15:25:59+05:00"


SEARCHES: dict[str, Callable[[Findings], list[Finding | EventError]]] = {
    "failed": lambda findings: [one for page in findings.search_failed() for one in page],
    "suppressed": lambda findings: findings.list_suppressed(ACCOUNT),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
class TestSearch:
    """What a search shows, for the sweep and for risks that somebody accepted."""

    def test_every_page(self, search: Callable[[Findings], list[Finding | EventError]]) -> None:
        """The findings of every page are returned."""
        pages = ({"Findings": [make_raw()], "NextToken": "2"}, {"Findings": [make_raw(Id="2")]})
        assert search(ask(*pages)) == [make_finding(Id=KEY.id), make_finding(Id="2")]

    @pytest.mark.parametrize("answer", [{}, {"Findings": None}, {"Findings": [None]}])
    def test_page_that_is_not_whole(
        self,
        search: Callable[[Findings], list[Finding | EventError]],
        answer: dict[str, Any],
    ) -> None:
        """A page without its list is an error: what it would have shown is unknown."""
        pages = ({"Findings": [make_raw()], "NextToken": "2"}, answer)
        with pytest.raises(AwsCallError, match="Findings"):
            search(ask(*pages))

    def test_not_understood(self, search: Callable[[Findings], list[Finding | EventError]]) -> None:
        """One that is not understood is an error that names it, unless it is not ours anyway."""
        odd = {"CreatedAt": "yesterday"}
        foreign = {"ProductArn": "arn:aws:securityhub:us-east-1::product/a/b"}
        [shown] = search(ask({"Findings": [make_raw(**odd), make_raw(**odd, **foreign)]}))
        assert isinstance(shown, EventError)
        assert str(shown).startswith("finding/1.CreatedAt: ")
