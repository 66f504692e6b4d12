"""What deployments and dashboards rely on: parameters, outputs, environment variables, metrics."""

import json
import logging
import re
from typing import Any

import botocore.session
import pytest

from handlers.observability import SERVICE
from local.fixtures.stack import PROJECT, load_stack
from models.errors import SettingsError
from models.outcome import Outcome
from models.settings import Settings, SweepSettings

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
    "EmailFrequency": "Each",
    "CustomAction": "Enabled",
    "LogLevel": "INFO",
    "LogRetentionDays": 365,
    "Architecture": "arm64",
}
CHOICES = {
    "Mode": ["DryRun", "Enforce"],
    "AutoRemediation": ["Enabled", "Disabled"],
    "DeniedRegions": ["Unverified", "OutOfScope"],
    "EmailFrequency": ["Each", "Daily"],
    "CustomAction": ["Enabled", "Disabled"],
    "LogLevel": ["DEBUG", "INFO"],
    "Architecture": ["arm64", "x86_64"],
}
DEPLOY = PROJECT / "deploy"
# Read by Powertools; all others are read by the settings.
POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL"}


def environment(function: str, **values: Any) -> dict[str, str]:
    """Return the environment variables of a function, as Lambda sets them."""
    given = load_stack(**values).function(function)["Environment"]["Variables"]
    stand_ins = {
        "<ArchiveBucket>": "archive-bucket",
        "<Topic>": "arn:aws:sns:us-east-1:111122223333:topic",
        "<Queue>": "https://sqs.us-east-1.amazonaws.com/111122223333/queue",
    }
    return {name: stand_ins.get(str(value), str(value)) for name, value in given.items()}


def test_every_parameter_has_its_default() -> None:
    """The parameters are those of the contract, and none is required."""
    declared = load_stack().parameters

    assert {name: one.get("Default") for name, one in declared.items()} == DEFAULTS
    assert all(one["Description"] for one in declared.values())


def test_choices_accept_only_their_values() -> None:
    """A parameter that is a choice accepts no other value."""
    declared = load_stack().parameters

    assert {name: declared[name]["AllowedValues"] for name in CHOICES} == CHOICES


def test_the_description_of_the_mode_says_what_a_dry_run_writes() -> None:
    """Whoever deploys the default is told that it writes to findings and deletes nothing."""
    description = load_stack().parameters["Mode"]["Description"]

    assert "deletes nothing" in description
    assert "NOTIFIED" in description


def test_the_console_shows_every_parameter() -> None:
    """Each parameter is in exactly one group of the console's form."""
    groups = load_stack().template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(DEFAULTS)


def test_the_outputs_are_those_of_the_contract() -> None:
    """The outputs are the same, whatever is turned off."""
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
                "#dashboards/dashboard/<ObservabilityStack.Outputs.DashboardName>"
            ),
        }


@pytest.mark.parametrize(
    ("function", "settings"), [("RemediateFunction", Settings), ("SweepFunction", SweepSettings)]
)
def test_the_environment_is_what_the_settings_and_powertools_read(
    function: str, settings: type[Settings | SweepSettings]
) -> None:
    """Each variable that is set is read, and each variable that is read is set."""
    read = {str(field.alias) for field in settings.model_fields.values()}

    assert set(environment(function)) == read | POWERTOOLS


def test_the_defaults_of_the_stack_are_those_of_the_settings() -> None:
    """A function deployed with defaults behaves as one without settings, except for resources."""
    created = {"archive_bucket", "topic_arn"}
    deployed = Settings.from_environment(environment("RemediateFunction"))

    assert deployed.model_dump(exclude=created) == Settings().model_dump(exclude=created)

    swept = SweepSettings.from_environment(environment("SweepFunction"))

    created = {"queue_url", "topic_arn"}
    assert swept.model_dump(exclude=created) == SweepSettings(queue_url=swept.queue_url).model_dump(
        exclude=created
    )


def test_every_parameter_reaches_the_settings() -> None:
    """The values given to the stack are the settings of the functions."""
    values: dict[str, Any] = {
        "Mode": "Enforce",
        "GracePeriodDays": 14,
        "ExemptTagKey": "keep me",
        "Regions": "us-east-1, eu-west-1",
        "DeniedRegions": "OutOfScope",
        "ElbCallsPerSecond": 2,
        "MemberRoleName": "iam26-member",
        "AutoRemediation": "Disabled",
        "SweepSchedule": "rate(12 hours)",
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
    assert sweep.auto_remediation == "Disabled"
    assert sweep.schedule == "rate(12 hours)"
    assert sweep.topic_arn == settings.topic_arn == "arn:aws:sns:us-east-1:111122223333:topic"


@pytest.mark.parametrize("function", ["RemediateFunction", "SweepFunction"])
@pytest.mark.parametrize("level", CHOICES["LogLevel"])
def test_each_log_level_is_what_the_function_logs(function: str, level: str) -> None:
    """Powertools and Lambda's filter, which it obeys first, both log from the level asked for."""
    config = load_stack(LogLevel=level).function(function)["LoggingConfig"]

    assert environment(function, LogLevel=level)["POWERTOOLS_LOG_LEVEL"] == level
    assert config["ApplicationLogLevel"] == level


def test_no_log_level_drops_the_metrics() -> None:
    """Metrics are log lines that count as INFO, so no level above it can be chosen."""
    levels = load_stack().parameters["LogLevel"]["AllowedValues"]

    assert max(logging.getLevelNamesMapping()[level] for level in levels) == logging.INFO


def test_the_service_is_that_of_the_code() -> None:
    """Logs and metrics are those of the service that the code names."""
    for function in ("RemediateFunction", "SweepFunction"):
        assert environment(function)["POWERTOOLS_SERVICE_NAME"] == SERVICE


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


@pytest.mark.parametrize(("parameter", "value", "is_valid"), PATTERNS)
def test_an_invalid_value_is_rejected_before_it_is_deployed(
    parameter: str, value: str, *, is_valid: bool
) -> None:
    """The template accepts what the settings accept, and rejects what they reject."""
    allowed = load_stack().parameters[parameter]["AllowedPattern"]

    assert bool(re.fullmatch(allowed, value)) is is_valid
    assert _is_accepted(environment("RemediateFunction", **{parameter: value})) is is_valid


@pytest.mark.parametrize("parameter", ["GracePeriodDays", "ElbCallsPerSecond"])
def test_a_number_beyond_its_bounds_is_rejected(parameter: str) -> None:
    """The settings accept both bounds of a number, and nothing above the upper one."""
    declared = load_stack().parameters[parameter]

    for value, is_valid in (
        (declared["MinValue"], True),
        (declared["MaxValue"], True),
        (declared["MaxValue"] + 1, False),
    ):
        assert _is_accepted(environment("RemediateFunction", **{parameter: value})) is is_valid


def _is_accepted(variables: dict[str, str]) -> bool:
    try:
        Settings.from_environment(variables)
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [("rate(1 day)", True), ("cron(0 6 * * ? *)", True), ("1 day", False), ("at(2026)", False)],
)
def test_a_schedule_is_a_rate_or_a_cron_expression(value: str, *, is_valid: bool) -> None:
    """What EventBridge would reject is rejected before anything is created."""
    allowed = load_stack().parameters["SweepSchedule"]["AllowedPattern"]

    assert bool(re.fullmatch(allowed, value)) is is_valid


def test_without_automatic_remediation_only_the_custom_action_is_left() -> None:
    """With AutoRemediation Disabled, neither new findings nor the schedule start anything."""
    rules = ("ImportedRule", "CustomActionRule", "SweepRule")
    enabled, disabled = load_stack(), load_stack(AutoRemediation="Disabled")

    assert [enabled.properties(rule)["State"] for rule in rules] == ["ENABLED"] * 3
    assert [disabled.properties(rule)["State"] for rule in rules] == [
        "DISABLED",
        "ENABLED",
        "DISABLED",
    ]


def test_optional_resources_are_created_only_when_wanted() -> None:
    """Custom action and subscription are optional; the rule of the custom action is not."""
    with_all = load_stack(NotificationEmail="team@example.com").resources
    without = load_stack(CustomAction="Disabled").resources

    assert with_all.keys() - without.keys() == {"CustomActionStack", "EmailSubscription"}


def test_the_functions_run_what_is_built() -> None:
    """Both functions have Python 3.13, the chosen architecture, and their handler."""
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


def read_widgets() -> list[dict[str, Any]]:
    """Return the widgets of the dashboard."""
    dashboard = load_stack().nested("ObservabilityStack").properties("Dashboard")
    return list(json.loads(dashboard["DashboardBody"])["widgets"])


def test_the_dashboard_url_leads_to_the_dashboard() -> None:
    """The name in the output is that of the dashboard, which says stack and Region."""
    observability = load_stack().nested("ObservabilityStack")

    assert observability.outputs == {"DashboardName": "<Dashboard>"}
    assert observability.properties("Dashboard")["DashboardName"] == "iam26-remediation-us-east-1"


# The home Region of each partition whose console is known, and the console's host.
CONSOLES = {
    "aws": ("us-east-1", "console.aws.amazon.com"),
    "aws-cn": ("cn-north-1", "console.amazonaws.cn"),
    "aws-us-gov": ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    "aws-eusc": ("eusc-de-east-1", "console.amazonaws-eusc.eu"),
}
FRAGMENT = "#dashboards/dashboard/<ObservabilityStack.Outputs.DashboardName>"


@pytest.mark.parametrize("partition", CONSOLES)
def test_the_dashboard_url_is_in_the_console_of_the_partition(partition: str) -> None:
    """Where the console is known, the output opens the dashboard there."""
    region, host = CONSOLES[partition]
    stack = load_stack(**{"AWS::Partition": partition, "AWS::Region": region})

    assert stack.outputs["DashboardUrl"] == (
        f"https://{region}.{host}/cloudwatch/home?region={region}{FRAGMENT}"
    )


def test_the_dashboard_url_fails_in_no_partition() -> None:
    """In every other partition that the SDK knows, the output is what follows the console's URL."""
    known = set(botocore.session.get_session().get_available_partitions())

    assert known - CONSOLES.keys()
    for partition in known - CONSOLES.keys():
        assert load_stack(**{"AWS::Partition": partition}).outputs["DashboardUrl"] == FRAGMENT


def test_no_map_has_to_know_the_partition() -> None:
    """CloudFormation refuses to look up what a map lacks, so no map is asked for a partition."""
    for file in ("template.yaml", *(f"deploy/{one.name}" for one in DEPLOY.glob("*.yaml"))):
        assert "Mappings" not in load_stack(file).template


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
# and CWL_QuerySyntax-Stats.html
LOGS_INSIGHTS = """
    abs ceil floor greatest least log sqrt bin datefloor dateceil fromMillis toMillis now ispresent
    coalesce isValidIp isValidIpv4 isValidIpv6 isIpInSubnet isIpv4InSubnet isIpv6InSubnet isempty
    isblank concat ltrim rtrim trim strlen toupper tolower substr replace strcontains jsonParse
    jsonStringify avg count count_distinct max min pct stddev sum earliest latest sortsFirst
    sortsLast fields display filter filterIndex stats sort limit parse pattern diff dedup unmask
    unnest in like as by and or not asc desc
"""


def test_no_alias_in_a_query_is_a_word_of_the_language() -> None:
    """The dashboard's queries name no column as Logs Insights names a function or command."""
    queries = [one["properties"]["query"] for one in read_widgets() if "query" in one["properties"]]
    aliases = {alias.lower() for query in queries for alias in re.findall(r"\bas (\w+)", query)}

    assert aliases
    assert aliases.isdisjoint(LOGS_INSIGHTS.lower().split())


def test_the_nested_stack_is_passed_exactly_its_parameters() -> None:
    """The nested stack gets a value for each parameter that it declares, and no other."""
    observability = load_stack().nested("ObservabilityStack")

    assert observability.values.keys() == observability.parameters.keys()


def test_the_dashboard_says_what_is_deployed() -> None:
    """The dashboard names mode, automatic remediation, schedule and archive."""
    stack = load_stack(Mode="Enforce", AutoRemediation="Disabled", SweepSchedule="rate(2 days)")
    body = stack.nested("ObservabilityStack").properties("Dashboard")["DashboardBody"]
    [text] = [one for one in json.loads(body)["widgets"] if one["type"] == "text"]

    for value in ("Enforce", "Disabled", "rate(2 days)", "<ArchiveBucket>"):
        assert value in text["properties"]["markdown"]


def test_the_dashboard_shows_what_the_code_measures() -> None:
    """The dashboard is JSON, its widgets do not overlap, and its metrics are those of the code."""
    widgets = read_widgets()
    service = environment("RemediateFunction")["POWERTOOLS_SERVICE_NAME"]
    metrics = [
        metric
        for widget in widgets
        for metric in widget["properties"].get("metrics", [])
        if metric[0] == "IAM26Remediation"
    ]
    code = "".join(
        file.read_text()
        for folder in ("handlers", "handlers/remediation")
        for file in (PROJECT / folder).glob("*.py")
    )
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
    assert all(metric[2:4] == ["service", service] for metric in metrics)
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_shows_every_outcome() -> None:
    """Each outcome of the contract has its line over time."""
    [over_time] = [one for one in read_widgets() if one["properties"].get("stacked")]

    assert {metric[5] for metric in over_time["properties"]["metrics"]} == {
        one.value for one in Outcome
    }
