"""What somebody else closed or took: it is left alone, unless a person asks."""

from typing import Any

import pytest

from models.events import EntryPoint
from models.outcome import Outcome
from models.refusal import find_taken_trait
from tests.builders import make_finding

BY_ITSELF = (EntryPoint.IMPORTED, EntryPoint.SWEEP)
OTHERS = {f"field-{number}": "x" for number in range(50)}


def find_trait(entry_point: EntryPoint, status: str, **fields: Any) -> str | None:
    return find_taken_trait(make_finding(Workflow={"Status": status}, **fields), entry_point)


class TestByItself:
    """Findings that nobody asked for."""

    @pytest.mark.parametrize("entry_point", BY_ITSELF)
    def test_new(self, entry_point: EntryPoint) -> None:
        """A new finding is nobody's, whatever was written on it before."""
        fields = {"iam26Outcome": "in-use"}
        assert find_trait(entry_point, "NEW") is None
        assert find_trait(entry_point, "NEW", UserDefinedFields=fields) is None

    @pytest.mark.parametrize("entry_point", BY_ITSELF)
    @pytest.mark.parametrize("status", ["NOTIFIED", "RESOLVED"])
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"UserDefinedFields": {"ticket": "SEC-1"}},
            {"Note": {"Text": "Deleted.", "UpdatedBy": "iam26-remediation"}},
            {"UserDefinedFields": OTHERS, "Note": {"UpdatedBy": "a person"}},
            {"UserDefinedFields": OTHERS},
        ],
        ids=["bare", "ticket", "note-alone", "full", "full-without-note"],
    )
    def test_of_somebody_else(
        self, entry_point: EntryPoint, status: str, fields: dict[str, Any]
    ) -> None:
        """A finding that carries no outcome of ours has its status from somebody else."""
        trait = find_trait(entry_point, status, **fields)
        assert trait is not None
        assert f"somebody else set the finding to {status}" in trait

    @pytest.mark.parametrize("entry_point", BY_ITSELF)
    @pytest.mark.parametrize("outcome", [one for one in Outcome if one.workflow_status])
    def test_ours(self, entry_point: EntryPoint, outcome: Outcome) -> None:
        """A finding with our outcome and the status that goes with it is still ours."""
        status = str(outcome.workflow_status)
        assert find_trait(entry_point, status, UserDefinedFields={"iam26Outcome": outcome}) is None

    @pytest.mark.parametrize("entry_point", BY_ITSELF)
    @pytest.mark.parametrize("status", ["NOTIFIED", "RESOLVED"])
    def test_ours_without_room(self, entry_point: EntryPoint, status: str) -> None:
        """Where the fields of others left no room, our note says that it is ours."""
        note = {"UpdatedBy": "iam26-remediation"}
        assert find_trait(entry_point, status, UserDefinedFields=OTHERS, Note=note) is None

    @pytest.mark.parametrize("entry_point", BY_ITSELF)
    @pytest.mark.parametrize("outcome", ["in-use", "would-delete", "anything"])
    def test_resolved_after_our_report(self, entry_point: EntryPoint, outcome: str) -> None:
        """What we only reported on was resolved by somebody else."""
        fields = {"iam26Outcome": outcome}
        assert find_trait(entry_point, "RESOLVED", UserDefinedFields=fields)


@pytest.mark.parametrize("status", ["NEW", "NOTIFIED", "RESOLVED"])
def test_person_asks(status: str) -> None:
    """What a person asks for by the custom action is worked on, whoever has it."""
    assert find_trait(EntryPoint.CUSTOM_ACTION, status) is None
