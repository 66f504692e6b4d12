"""A local AWS that a built template can be deployed to, and events sent through."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ClientError

from local.artifact.chain.bridge import Bridge
from local.artifact.image import find_python
from local.artifact.sam import SAM, find_port, make_sam_environment, wait_for_port
from local.artifact.template import BUILT, PROJECT, read_template, write_template
from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.running import Running
from local.aws.server import LocalAws
from local.fixtures.deploy import read_archive
from local.fixtures.mapping import take_messages

MINISTACK_PYTHON = PROJECT / ".venv-e2e" / "bin" / "python"
FRONT = Path(__file__).with_name("front.py")
LOG = PROJECT / "build" / "ministack.log"
STACK = "iam26-remediation"
REGIONS = ("us-east-1", "eu-west-1")
WAIT_SECONDS = 40
DEPLOY_SECONDS = 180
Value = TypeVar("Value")


class ChainError(RuntimeError):
    """The stack could not be deployed, or something that was waited for did not happen."""


class Chain(Running):
    """Both halves of the local AWS, for as long as the `with` block runs.

    Events of Security Hub go from moto's bus to ministack's, and so through the rules of the
    deployed stack. Functions run as their template role, on Python 3.13.
    """

    def __init__(self) -> None:
        self.outputs: dict[str, str] = {}

    def _run(self) -> Iterator[None]:
        with LocalAws() as self.aws, ExitStack() as stack:
            self.aws.knobs.enabled_regions = REGIONS
            # What is proven here is the scan, not the guard behind it.
            self.aws.knobs.guard_certificates_in_use = False
            self.url = self._start_ministack(stack)
            self._session = boto3.Session()
            self.bridge = stack.enter_context(Bridge(self.aws, self.client("events")))
            yield

    def _start_ministack(self, stack: ExitStack) -> str:
        if not MINISTACK_PYTHON.exists():
            raise ChainError("ministack is not here: `make e2e` makes its environment")
        port = find_port()
        url = f"http://127.0.0.1:{port}"
        log = stack.enter_context(LOG.open("ab"))
        kept = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        process = subprocess.Popen(  # noqa: S603 - our own script
            [
                *(MINISTACK_PYTHON, FRONT, "--port", str(port)),
                *("--moto", str(self.aws.endpoint_url), "--python", find_python()),
            ],
            env={
                **kept,
                "AUTH": "true",
                "DOCKER_HOST": "unix:///nonexistent",
                "LOG_LEVEL": "WARNING",
                "MINISTACK_ACCOUNT_ID": OWN_ACCOUNT,
                "AWS_ENDPOINT_URL": url,
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        stack.callback(_end, process)
        wait_for_port(port, process)
        return url

    def client(self, service: str) -> Any:
        """Return a client of the half that carries events, with all permissions."""
        session: Any = self._session  # any service, which its stubs cannot say
        return session.client(
            service,
            region_name=HOME_REGION,
            endpoint_url=self.url,
            aws_access_key_id=OWN_ACCOUNT,
            aws_secret_access_key="test",  # noqa: S106 - what ministack knows its root user by
        )

    def package(self, target: Path) -> Path:
        """Upload the artifact, and write the built template so that it need not be again."""
        built = BUILT / "template.yaml"
        output = ("--output-template-file", target)
        self._run_sam("package", "--resolve-s3", "--template-file", built, *output)
        packaged = read_template(target)
        for name, resource in packaged["Resources"].items():
            if resource["Type"] == "AWS::CloudFormation::Stack":
                # SAM CLI itself takes no URL back that is not of AWS's own S3.
                resource["Properties"]["TemplateURL"] = str(BUILT / name / "template.yaml")
        return write_template(packaged, target)

    def deploy(self, *parameters: str, template: Path = BUILT / "template.yaml") -> None:
        """Deploy a built or packaged template with `sam deploy`."""
        config = ("--config-file", PROJECT / "samconfig.toml", "--template-file", template)
        overrides = ("--parameter-overrides", *parameters) if parameters else ()
        self._run_sam("deploy", "--no-confirm-changeset", *config, *overrides)
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in self.describe()["Outputs"]}

    def describe(self) -> dict[str, Any]:
        """Return the stack as CloudFormation describes it."""
        stacks = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return dict(stacks[0])

    def environment(self) -> dict[str, str]:
        """Return the environment that directs SAM CLI here, with all permissions."""
        credentials = {"AWS_ACCESS_KEY_ID": OWN_ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test"}
        return make_sam_environment(self.url) | credentials

    def _run_sam(self, *arguments: str | Path) -> None:
        done = subprocess.run(  # noqa: S603 - our own SAM CLI
            [SAM, *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEPLOY_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ChainError(f"sam {arguments[0]} failed:\n{done.stdout}")

    # What is there

    def find_resource(self, logical_id: str, stack: str = STACK) -> str:
        """Return the physical id of a resource of a stack."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def count_messages(self, queue_url: str) -> int:
        """Return how many messages a queue holds, those in flight included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def read_messages(self, queue_url: str) -> list[dict[str, Any]]:
        """Take all messages that are visible off a queue."""
        return take_messages(self.client("sqs"), queue_url)

    def read_log(self) -> str:
        """Return what the functions have logged."""
        logs = self.client("logs")
        lines = []
        for group in logs.describe_log_groups()["logGroups"]:
            try:
                events = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
            except ClientError:
                continue
            lines += [one["message"] for one in events]
        return "\n".join(lines)

    def wait_for(
        self, what: str, read: Callable[[], Value | None], seconds: float = WAIT_SECONDS
    ) -> Value:
        """Return what `read` returns once it is true; raise ChainError with the log if never."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if value := read():
                return value
            time.sleep(0.1)
        raise ChainError(f"not within {seconds:.0f} s: {what}\n{self.read_log()[-4000:]}")

    def send(self, *bodies: str) -> None:
        """Put messages on the queue as they are, all at once."""
        entries = [{"Id": str(number), "MessageBody": one} for number, one in enumerate(bodies)]
        self.client("sqs").send_message_batch(QueueUrl=self.outputs["QueueUrl"], Entries=entries)

    def subscribe(self) -> str:
        """Subscribe a queue to the topic, and return its URL."""
        arn = f"arn:aws:sqs:{HOME_REGION}:{OWN_ACCOUNT}:inbox"
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            },
        }
        url: str = self.client("sqs").create_queue(
            QueueName="inbox", Attributes={"Policy": json.dumps(policy)}
        )["QueueUrl"]
        self.client("sns").subscribe(
            TopicArn=self.outputs["TopicArn"], Protocol="sqs", Endpoint=arn
        )
        return url

    def read_archive(self) -> dict[str, dict[str, Any]]:
        """Return the archive's records by key."""
        return read_archive(self.client("s3"), self.outputs["ArchiveBucketName"])


def _end(process: subprocess.Popen[bytes]) -> None:
    # Its functions' processes go with it.
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
