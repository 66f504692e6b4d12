"""What other people's deployments and dashboards rely on: parameters, outputs, environments."""

import json
import re
import tomllib
from typing import Any

import pytest

from models.errors import SettingsError
from models.outcome import Outcome
from models.settings import Settings, SweepSettings
from tests.template.stack import PROJECT, load_stack

DEFAULTS = {
    "Mode": "DryRun",
    "AutoRemediation": "Enabled",
    "GracePeriodDays": 0,
    "ExemptTagKey": "iam26:keep",
    "Regions": "",
    "DeniedRegions": "Unverified",
    "MemberRoleName": "",
    "ElbCallsPerSecond": 5,
    "SweepSchedule": "rate(1 day)",
    "NotificationEmail": "",
    "CustomAction": "Enabled",
    "LogRetentionDays": 365,
    "Architecture": "arm64",
}
CHOICES = {
    "Mode": ["DryRun", "Enforce"],
    "AutoRemediation": ["Enabled", "Disabled"],
    "DeniedRegions": ["Unverified", "OutOfScope"],
    "CustomAction": ["Enabled", "Disabled"],
    "Architecture": ["arm64", "x86_64"],
}


def environment(function: str, **values: Any) -> dict[str, str]:
    """The environment variables of a function, as Lambda gives them to it."""
    given = load_stack(**values).properties(function)["Environment"]["Variables"]
    stand_ins = {
        "<ArchiveBucket>": "archive-bucket",
        "<Topic>": "arn:aws:sns:us-east-1:111122223333:topic",
        "<Queue>": "https://sqs.us-east-1.amazonaws.com/111122223333/queue",
    }
    return {name: stand_ins.get(str(value), str(value)) for name, value in given.items()}


def test_every_parameter_has_its_default() -> None:
    """The parameters are those of the contract, and none has to be given."""
    declared = load_stack().parameters

    assert {name: one.get("Default") for name, one in declared.items()} == DEFAULTS
    assert all(one["Description"] for one in declared.values())


def test_choices_are_closed() -> None:
    """A parameter that is a choice takes its values alone."""
    declared = load_stack().parameters

    assert {name: declared[name]["AllowedValues"] for name in CHOICES} == CHOICES


def test_the_mode_says_what_a_dry_run_writes() -> None:
    """Whoever deploys the default learns that it writes on findings and deletes nothing."""
    description = load_stack().parameters["Mode"]["Description"]

    assert "deletes nothing" in description
    assert "NOTIFIED" in description


def test_the_console_shows_every_parameter() -> None:
    """Each parameter stands in one group of the console's form."""
    groups = load_stack().template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(DEFAULTS)


def test_every_output_is_there() -> None:
    """The outputs are those of the contract, whatever is switched off."""
    for stack in (load_stack(), load_stack(CustomAction="Disabled", AutoRemediation="Disabled")):
        assert stack.outputs == {
            "RemediateFunctionArn": "<RemediateFunction.Arn>",
            "QueueUrl": "<Queue>",
            "DeadLetterQueueUrl": "<DeadLetterQueue>",
            "TopicArn": "<Topic>",
            "ArchiveBucketName": "<ArchiveBucket>",
            "ActionTargetArn": (
                "arn:aws:securityhub:us-east-1:111122223333:action/custom/DeleteExpiredCert"
            ),
            "DashboardUrl": (
                "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
                "#dashboards/dashboard/<Dashboard>"
            ),
        }


@pytest.mark.parametrize(
    ("function", "settings"), [("RemediateFunction", Settings), ("SweepFunction", SweepSettings)]
)
def test_the_environment_is_what_the_settings_read(
    function: str, settings: type[Settings | SweepSettings]
) -> None:
    """Each variable that is set is read, and each one that is read is set."""
    read = {str(field.alias) for field in settings.model_fields.values()}

    assert set(environment(function)) == read


def test_the_defaults_are_those_of_the_settings() -> None:
    """A function deployed with defaults runs as one without any setting, but for what is made."""
    made = {"archive_bucket", "topic_arn"}
    deployed = Settings.from_environment(environment("RemediateFunction"))

    assert deployed.model_dump(exclude=made) == Settings().model_dump(exclude=made)
    assert SweepSettings.from_environment(environment("SweepFunction")).member_role_name is None


def test_every_parameter_arrives_where_it_is_read() -> None:
    """What is given to the stack is what the functions are set to."""
    values: dict[str, Any] = {
        "Mode": "Enforce",
        "GracePeriodDays": 14,
        "ExemptTagKey": "keep me",
        "Regions": "us-east-1, eu-west-1",
        "DeniedRegions": "OutOfScope",
        "ElbCallsPerSecond": 2,
        "MemberRoleName": "iam26-member",
    }
    settings = Settings.from_environment(environment("RemediateFunction", **values))
    sweep = SweepSettings.from_environment(environment("SweepFunction", **values))

    assert settings.mode == "Enforce"
    assert settings.grace_period_days == 14
    assert settings.exempt_tag_key == "keep me"
    assert settings.regions == ("eu-west-1", "us-east-1")
    assert settings.denied_regions == "OutOfScope"
    assert settings.elb_calls_per_second == 2
    assert settings.member_role_name == sweep.member_role_name == "iam26-member"
    assert settings.archive_bucket == "archive-bucket"


PATTERNS = [
    ("Regions", "", True),
    ("Regions", "us-east-1", True),
    ("Regions", "us-east-1, eu-west-1,us-gov-west-1", True),
    ("Regions", "everywhere", False),
    ("Regions", "us-east-1;eu-west-1", False),
    ("Regions", "us-east", False),
    ("ExemptTagKey", "iam26:keep", True),
    ("ExemptTagKey", "a b", True),
    ("ExemptTagKey", " iam26:keep", False),
    ("ExemptTagKey", "iam26:keep ", False),
    ("MemberRoleName", "", True),
    ("MemberRoleName", "iam26@role_1", True),
    ("MemberRoleName", "role/with-path", False),
    ("MemberRoleName", "r" * 65, False),
]


@pytest.mark.parametrize(("parameter", "value", "is_good"), PATTERNS)
def test_a_wrong_value_is_refused_before_it_is_deployed(
    parameter: str, value: str, *, is_good: bool
) -> None:
    """The template takes what the settings take, and refuses what they would refuse."""
    allowed = load_stack().parameters[parameter]["AllowedPattern"]

    assert bool(re.fullmatch(allowed, value)) is is_good
    assert _is_read(environment("RemediateFunction", **{parameter: value})) is is_good


@pytest.mark.parametrize("parameter", ["GracePeriodDays", "ElbCallsPerSecond"])
def test_a_number_is_refused_beyond_its_bounds(parameter: str) -> None:
    """Both bounds of a number are values that the settings take, and beyond the upper not."""
    declared = load_stack().parameters[parameter]

    for value, is_good in (
        (declared["MinValue"], True),
        (declared["MaxValue"], True),
        (declared["MaxValue"] + 1, False),
    ):
        assert _is_read(environment("RemediateFunction", **{parameter: value})) is is_good


def _is_read(variables: dict[str, str]) -> bool:
    try:
        Settings.from_environment(variables)
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize(
    ("value", "is_good"),
    [("rate(1 day)", True), ("cron(0 6 * * ? *)", True), ("1 day", False), ("at(2026)", False)],
)
def test_a_schedule_is_a_rate_or_a_cron(value: str, *, is_good: bool) -> None:
    """What EventBridge would refuse is refused before anything is made."""
    allowed = load_stack().parameters["SweepSchedule"]["AllowedPattern"]

    assert bool(re.fullmatch(allowed, value)) is is_good


def test_disabled_means_that_only_the_button_is_left() -> None:
    """Without automatic remediation, neither new findings nor the sweep start anything."""
    rules = ("ImportedRule", "CustomActionRule", "SweepRule")
    enabled, disabled = load_stack(), load_stack(AutoRemediation="Disabled")

    assert [enabled.properties(rule)["State"] for rule in rules] == ["ENABLED"] * 3
    assert [disabled.properties(rule)["State"] for rule in rules] == [
        "DISABLED",
        "ENABLED",
        "DISABLED",
    ]


def test_what_is_not_asked_for_is_not_made() -> None:
    """Button and e-mail are made only when they are wanted; the rule of the button stays."""
    with_all = load_stack(NotificationEmail="team@example.com").resources
    without = load_stack(CustomAction="Disabled").resources

    assert with_all.keys() - without.keys() == {"CustomActionStack", "EmailSubscription"}


def test_the_functions_run_what_is_built() -> None:
    """Both functions have Python 3.13, the chosen processor, and a handler that exists."""
    stack = load_stack(Architecture="x86_64")
    shared = stack.resolve(stack.template["Globals"]["Function"])

    assert shared["Runtime"] == "python3.13"
    assert shared["Architectures"] == ["x86_64"]
    assert (PROJECT / shared["CodeUri"] / "Makefile").is_file()
    functions = stack.of_type("AWS::Serverless::Function")
    assert {name: one["Properties"]["Handler"] for name, one in functions.items()} == {
        "RemediateFunction": "handlers.remediate.handler",
        "SweepFunction": "handlers.sweep.handler",
    }
    assert all(one["Metadata"]["BuildMethod"] == "makefile" for one in functions.values())


def test_one_word_deploys() -> None:
    """The environments of the SAM CLI differ in the mode, and grant what the template needs."""
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text())
    deploy = {
        name: config[name]["deploy"]["parameters"] for name in ("default", "dry-run", "enforce")
    }

    assert deploy["default"]["guided"] is True
    assert deploy["dry-run"]["parameter_overrides"] == ["Mode=DryRun"]
    assert deploy["enforce"]["parameter_overrides"] == ["Mode=Enforce"]
    assert deploy["enforce"]["confirm_changeset"] is True
    for one in deploy.values():
        assert one["stack_name"] == "iam26-remediation"
        assert one["capabilities"] == ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def test_the_dashboard_shows_what_the_code_measures() -> None:
    """The dashboard is JSON, its widgets do not overlap, and each metric has the code's name."""
    stack = load_stack()
    widgets = json.loads(stack.properties("Dashboard")["DashboardBody"])["widgets"]
    metrics = [
        metric
        for widget in widgets
        for metric in widget["properties"].get("metrics", [])
        if metric[0] == "IAM26Remediation"
    ]
    code = "".join(file.read_text() for file in (PROJECT / "handlers").glob("*.py"))
    emitted = set(re.findall(r'name="(\w+)"', code)) | {
        f"Swept{name}" for name in ("Accounts", "Findings", "Messages")
    }
    cells = [
        (x, y)
        for one in widgets
        for x in range(one["x"], one["x"] + one["width"])
        for y in range(one["y"], one["y"] + one["height"])
    ]

    assert {metric[1] for metric in metrics} == emitted
    assert all(metric[2:4] == ["service", "iam26-remediation"] for metric in metrics)
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_shows_every_outcome() -> None:
    """Each outcome of the contract has its line over time."""
    widgets = json.loads(load_stack().properties("Dashboard")["DashboardBody"])["widgets"]
    [over_time] = [one for one in widgets if one["properties"].get("stacked")]

    assert {metric[5] for metric in over_time["properties"]["metrics"]} == {
        one.value for one in Outcome
    }
