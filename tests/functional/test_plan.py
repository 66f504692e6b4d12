"""`iam26 plan` on the local AWS: the handler's own outcomes, and nothing but reads."""

import csv
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import jsonschema  # type: ignore[import-untyped]
import pytest

from cli.main import main
from cli.permissions import compose_account_policy, compose_plan_policy
from local.aws import faults
from local.aws.knobs import DEFAULT_REGIONS, HOME_REGION, OWN_ACCOUNT
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.findings import make_raw_finding
from local.fixtures.stack import PROJECT
from tests.functional.deployment import Deployment
from tests.functional.enforcement import (
    assume_role,
    create_role,
    denied_where_not_enforced,
    enforced,
)
from tests.functional.holders import fill_account
from tests.functional.planned_world import (
    ACCOUNTS,
    GRACE_PERIOD_DAYS,
    ROLE_NAME,
    PlannedWorld,
)
from tests.template.operations import list_needed_actions
from tests.template.policies import list_actions

Answer = dict[str, Any]
RunPlan = Callable[..., tuple[int, str]]

OPTIONS = (
    "--accounts",
    ",".join(ACCOUNTS),
    "--role-name",
    ROLE_NAME,
    "--grace-period-days",
    str(GRACE_PERIOD_DAYS),
)
TWO_ACCOUNTS = ("--accounts", ",".join(ACCOUNTS[:2]), "--role-name", ROLE_NAME)
SCHEMA = PROJECT / "docs" / "plan.schema.json"
EXPECTED = {
    "unused": "would-delete",
    "in-use": "in-use",
    "tagged": "exempt",
    "suppressed": "exempt",
    "in-grace": "in-grace-period",
    "valid": "not-expired",
}


@pytest.fixture(autouse=True)
def in_the_local_aws(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Direct the command to the local AWS, as a person's environment would."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> RunPlan:
    """Run the command, and return its exit status and what it wrote."""

    def run(*arguments: str) -> tuple[int, str]:
        status = main(["plan", *arguments])
        written = capsys.readouterr()
        # Where a test fails, this says why.
        sys.stderr.write(written.err)
        return status, written.out

    return run


def parse(written: str) -> Answer:
    return dict(json.loads(written))


class TestThreeAccounts:
    """Three accounts, seventeen Regions, 120 certificates and 300 load balancers."""

    @pytest.fixture
    def world(self, aws: Aws) -> PlannedWorld:
        """The accounts with everything that a plan must tell apart."""
        aws.knobs.enabled_regions = DEFAULT_REGIONS
        made = PlannedWorld(aws)
        made.build()
        return made

    def test_as_the_handler_decides(
        self, world: PlannedWorld, deployment: Deployment, plan: RunPlan
    ) -> None:
        """Every expired certificate has the outcome and the words that the handler has for it."""
        status, written = plan(*OPTIONS, "--output", "json")
        planned = {
            one["arn"]: one for each in parse(written)["accounts"] for one in each["certificates"]
        }
        assert status == 2
        assert {arn: one["outcome"] for arn, one in planned.items()} == {
            arn: EXPECTED[kind] for arn, kind in world.kinds.items()
        }

        deployment.configure(
            MODE="DryRun",
            MEMBER_ROLE_NAME=ROLE_NAME,
            GRACE_PERIOD_DAYS=str(GRACE_PERIOD_DAYS),
        )
        findings = [make_raw_finding(arn, account_id=arn.split(":")[4]) for arn in world.kinds]
        for event in deployment.import_findings(findings):
            for outcome in deployment.handle(event)["outcomes"]:
                one = planned[outcome["certificate"]]
                assert (outcome["outcome"], outcome["reason"]) == (one["outcome"], one["reason"])
                assert set(outcome["references"]) <= set(one["references"])

    def test_what_is_shown(self, world: PlannedWorld, plan: RunPlan) -> None:
        """The JSON has the accounts in their order, and everything that is found in each."""
        _, written = plan(*OPTIONS, "--output", "json")
        answer = parse(written)

        assert [one["account"] for one in answer["accounts"]] == list(ACCOUNTS)
        assert sum(answer["summary"].values()) == len(world.kinds)
        for account in answer["accounts"]:
            assert account["regions"] == sorted(DEFAULT_REGIONS)
            assert account["summary"] == Counter(one["outcome"] for one in account["certificates"])
            assert account["error"] is None
            examined = sum(one["examined"] for one in account["evidence"])
            assert examined == 100
            holders = {ref for one in account["certificates"] for ref in one["references"]}
            assert len(holders) == 60

    @pytest.mark.parametrize("columns", [80, 100, 160])
    def test_in_a_terminal(
        self, world: PlannedWorld, plan: RunPlan, monkeypatch: pytest.MonkeyPatch, columns: int
    ) -> None:
        """The table fits, leaves nothing out, and begins with the answer."""
        monkeypatch.setenv("COLUMNS", str(columns))
        status, written = plan(*OPTIONS)
        lines = written.splitlines()

        assert status == 2
        assert max(map(len, lines)) <= columns
        assert lines[0].startswith(
            "18 would be deleted, 24 in use, 9 in the grace period, 9 exempt"
        )
        flat = "".join(written.split())
        for arn in world.kinds:
            assert flat.count(arn.split("/")[-1]) >= len(ACCOUNTS)
        assert "Classic Load Balancer classic-079:443 in eu-west-3" in written

    def test_csv(self, world: PlannedWorld, plan: RunPlan) -> None:
        """The CSV has a line for each certificate."""
        _, written = plan(*OPTIONS, "--output", "csv")
        rows = list(csv.DictReader(io.StringIO(written)))

        assert {row["arn"] for row in rows} == set(world.kinds)
        assert {row["account"] for row in rows} == set(ACCOUNTS)


class TestReadOnly:
    """It cannot write, and needs no more than it says."""

    def test_calls(self, aws: Aws, plan: RunPlan) -> None:
        """Every call that goes out is a read, and each read of the policy is called."""
        aws.knobs.enabled_regions = (HOME_REGION,)
        fill(aws)
        with faults.record_calls() as calls:
            plan("--accounts", ",".join(ACCOUNTS[:2]), "--role-name", ROLE_NAME)

        called = list_needed_actions(f"{one.service}.{one.operation}" for one in calls)
        assert called == set(list_policy_actions())

    def test_role_session(self, aws: Aws, plan: RunPlan) -> None:
        """The session in another account may do what the plan does, whatever its role may do."""
        with faults.record_calls() as calls:
            plan("--accounts", ACCOUNTS[1], "--role-name", ROLE_NAME)

        [entered] = [one for one in calls if one.operation == "AssumeRole"]
        allowed = list_actions(json.loads(entered.params["Policy"])["Statement"])
        assert allowed == set(list_policy_actions()) - {"sts:AssumeRole", "securityhub:GetFindings"}
        assert len(entered.params["Policy"]) <= 2048


def fill(aws: Aws) -> None:
    """Create a candidate, and one of everything that can hold a certificate."""
    for account_id in ACCOUNTS[:2]:
        fill_account(aws, account_id)
        seed.plant_certificate("old-web", account_id=account_id)


def list_policy_actions() -> list[str]:
    return sorted(list_actions(compose_plan_policy("aws", ROLE_NAME)["Statement"]))


class TestPolicy:
    """The policy that it prints: enough, and no more than enough."""

    @pytest.fixture
    def deployed(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """Run as a person with the printed policy, less an action, in two accounts."""
        aws.knobs.enabled_regions = (HOME_REGION,)
        fill(aws)

        def become_auditor(without: str = "") -> None:
            own = compose_plan_policy("aws", ROLE_NAME)["Statement"]
            create_role(aws, ACCOUNTS[1], ROLE_NAME, compose_account_policy("aws")["Statement"])
            role = create_role(aws, OWN_ACCOUNT, "auditor", own, without)
            for name, value in assume_role(aws, role).items():
                monkeypatch.setenv(name, value)

        return become_auditor

    def test_is_sufficient(self, deployed: Callable[..., None], plan: RunPlan) -> None:
        """With the printed policy, both accounts are proven to the last certificate."""
        deployed()
        with enforced():
            status, written = plan(*TWO_ACCOUNTS, "--output", "json")

        assert status == 2
        for account in parse(written)["accounts"]:
            assert account["summary"]["would-delete"] == 1
            assert account["gaps"] == []

    @pytest.mark.parametrize("action", list_policy_actions())
    def test_is_minimal(self, deployed: Callable[..., None], plan: RunPlan, action: str) -> None:
        """Without any one of its actions the plan is not complete, and says what is missing."""
        deployed(without=action)
        with enforced(), denied_where_not_enforced(action):
            status, written = plan(*TWO_ACCOUNTS, "--output", "json")

        assert status == 3
        own, other = parse(written)["accounts"]
        told = other["error"] if action == "sts:AssumeRole" else json.dumps(own)
        # moto denies some calls without a code.
        assert re.search(r"denied|Unauthorized|GetFindings: 403", told, re.IGNORECASE)

    def test_printed(self, plan: RunPlan) -> None:
        """It is printed without credentials, for the partition of the Region."""
        status, written = plan("--print-policy", "--region", "us-gov-west-1")

        assert status == 0
        assert parse(written) == compose_plan_policy("aws-us-gov", None)
        assert "AssumeRole" not in written


class TestSchema:
    """The JSON has the schema that is published."""

    def test_published(self, plan: RunPlan) -> None:
        """The published schema is the one that is printed."""
        _, written = plan("--print-schema")
        assert parse(written) == json.loads(SCHEMA.read_text())

    @pytest.mark.parametrize("options", [(), TWO_ACCOUNTS], ids=["one", "two"])
    def test_holds(self, aws: Aws, plan: RunPlan, options: tuple[str, ...]) -> None:
        """What is printed for one account, and for several, is valid by it."""
        fill(aws)
        with faults.inject(service="appsync", fault=faults.AccessDenied()):
            _, written = plan(*options, "--output", "json")

        jsonschema.validate(parse(written), json.loads(SCHEMA.read_text()))


class TestOutcomes:
    """What a single account ends with."""

    def test_nothing_to_do(self, aws: Aws, plan: RunPlan) -> None:
        """Where everything is valid there is nothing to do, and the next to expire is named."""
        later = datetime.now(UTC) + timedelta(days=40)
        seed.upload_certificate(aws.client, "fresh", expires=later)
        status, written = plan()

        assert status == 0
        assert written.startswith(f"1 valid; next to expire: fresh ({later:%Y-%m-%d}).")

    def test_no_certificates(self, plan: RunPlan) -> None:
        """An account without certificates has nothing to do."""
        status, written = plan()
        assert status == 0
        assert written.startswith("No server certificates in IAM.")

    def test_unproven(self, aws: Aws, plan: RunPlan) -> None:
        """A gap keeps a candidate, and the plan says where it is."""
        seed.plant_certificate("old-web")
        with faults.inject(
            service="elb", operation="DescribeLoadBalancers", fault=faults.AccessDenied()
        ):
            status, written = plan()

        assert status == 3
        assert "1 unverified" in written
        assert "not known: Classic Load Balancer in eu-west-1" in written
        assert "iam26 plan --print-policy" in written

    def test_throttled(self, aws: Aws, plan: RunPlan) -> None:
        """What AWS cannot answer now leaves valid certificates known, and the others unverified."""
        seed.plant_certificate("old-web")
        seed.upload_certificate(aws.client, "fresh")
        with faults.inject(service="elb", fault=faults.Throttled()):
            status, written = plan("--output", "json")

        assert status == 3
        answer = parse(written)
        assert answer["summary"] == {"unverified": 1, "not-expired": 1}
        assert "Throttling" in answer["gaps"][0]

    def test_account_that_cannot_be_entered(self, plan: RunPlan, aws: Aws) -> None:
        """One account that cannot be entered is told, and takes no other along."""
        seed.plant_certificate("old-web")
        with faults.inject(service="sts", operation="AssumeRole", fault=faults.AccessDenied()):
            status, written = plan(*TWO_ACCOUNTS, "--output", "json")

        assert status == 3
        own, other = parse(written)["accounts"]
        assert own["summary"] == {"would-delete": 1}
        assert other["error"].startswith("AssumeRole was denied (AccessDenied)")

    def test_no_account_can_be_entered(self, plan: RunPlan) -> None:
        """If no account can be looked at, that is an error."""
        with faults.inject(service="iam", fault=faults.AccessDenied()):
            status, written = plan()
        assert status == 1
        assert "ListServerCertificates was denied" in written

    def test_unknown_region(self, aws: Aws, plan: RunPlan) -> None:
        """A Region that is not enabled is a gap here too."""
        seed.plant_certificate("old-web")
        status, written = plan("--regions", "us-east-1,eu-wset-1")
        assert status == 3
        assert "eu-wset-1" in written


class TestErrors:
    """One line each, and no traceback."""

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("--regions", "useast1"), "iam26: --regions: 'useast1' is not the name of a Region"),
            (("--grace-period-days", "-1"), "iam26: --grace-period-days: "),
            (("--denied-regions", "Maybe"), "iam26: --denied-regions: "),
            (("--profile", "nobody"), "iam26: the AWS configuration cannot be used: "),
            (("--file", "/nonexistent/plan.html"), "iam26: --file: /nonexistent/plan.html cannot"),
        ],
    )
    def test_unusable_option(
        self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
    ) -> None:
        """An option that cannot be used is named with its value, before anything is called."""
        with faults.record_calls() as calls:
            assert main(["plan", *arguments]) == 1
        written = capsys.readouterr()
        assert written.out == ""
        assert written.err.startswith(told)
        assert written.err.count("\n") == 1
        assert not calls

    @pytest.mark.parametrize(
        "arguments",
        [("--accounts", "123"), ("--accounts", "111122223333"), ("--accounts", ","), ("--bogus",)],
    )
    def test_unusable_argument(
        self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
    ) -> None:
        """An argument that cannot be parsed ends with 1, for 2 means something else here."""
        with pytest.raises(SystemExit) as ended:
            main(["plan", *arguments])
        assert ended.value.code == 1
        assert capsys.readouterr().err.startswith("iam26: ")

    @pytest.mark.parametrize(
        ("fault", "told"),
        [
            (faults.AwsFault("ExpiredToken", "expired", 403), "credentials have expired"),
            (faults.AwsFault("InvalidClientTokenId", "no", 403), "does not accept the credentials"),
            (faults.Throttled(), "AWS could not be asked now"),
            (faults.ConnectionDropped(), "AWS could not be asked now"),
        ],
    )
    def test_credentials(
        self, capsys: pytest.CaptureFixture[str], fault: faults.Fault, told: str
    ) -> None:
        """Credentials that AWS does not take, and AWS out of reach, are one clear line."""
        with faults.inject(service="sts", fault=fault):
            assert main(["plan"]) == 1
        written = capsys.readouterr()
        assert told in written.err
        assert written.err.count("\n") == 1
        assert "Traceback" not in written.err

    def test_no_credentials(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without credentials it says how to get some."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        assert main(["plan"]) == 1
        assert "no AWS credentials were found" in capsys.readouterr().err

    def test_interrupted(
        self,
        aws: Aws,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        """Ctrl-C in the middle leaves what was there before, and one line."""
        seed.plant_certificate("old-web")
        file = tmp_path / "plan.json"
        file.write_text("before")

        def interrupt(_: faults.ApiCall, __: object) -> NoReturn:
            raise KeyboardInterrupt

        with faults.inject(service="ec2", operation="DescribeRegions", fault=interrupt):
            assert main(["plan", "--output", "json", "--file", str(file)]) == 130
        written = capsys.readouterr()
        assert written.out == ""
        assert written.err == "iam26: interrupted: nothing was written.\n"
        assert file.read_text() == "before"
        assert list(tmp_path.iterdir()) == [file]


class TestFile:
    """The answer in a file."""

    @pytest.mark.parametrize("output", ["table", "json", "csv", "html"])
    def test_written(
        self, aws: Aws, capsys: pytest.CaptureFixture[str], tmp_path: Path, output: str
    ) -> None:
        """It is written whole, and the terminal gets the summary."""
        seed.plant_certificate("old-web")
        file = tmp_path / "plan"
        assert main(["plan", "--output", output, "--file", str(file)]) == 2
        written = capsys.readouterr()
        assert written.out == ""
        assert written.err.startswith("1 would be deleted. Written to ")
        assert "old-web" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o644
