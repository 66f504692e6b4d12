"""The local AWS as a server: for the AWS CLI, `sam local`, and other processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from local.artifact.sam import find_port
from local.aws import faults
from local.aws.server import LocalAws, LocalAwsError
from local.fixtures import seed
from local.serve import serve

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

# Where modules of this repository are found.
ROOT = Path(__file__).parents[2]
USE_IT = """
import boto3
iam = boto3.client("iam")
print(boto3.client("sts").get_caller_identity()["Account"])
print(iam.list_server_certificates(PathPrefix="/team/")["ServerCertificateMetadataList"])
try:
    iam.get_server_certificate(ServerCertificateName="none")
except iam.exceptions.NoSuchEntityException:
    print("NoSuchEntity")
"""


@contextmanager
def occupy_port() -> Iterator[int]:
    """Listen on a port as somebody else would."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


@contextmanager
def start(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m local serve` for as long as the block takes."""
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "local", "serve", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_exports(process: subprocess.Popen[str]) -> str:
    """Return the lines that a server prints when it is ready."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "template.yaml" in line:
            break
    return "".join(lines)


def run_in_shell(exports: str, code: str) -> str:
    """Run Python code in a shell that has evaluated the exports, and return what it printed.

    The shell would ask a proxy that is not there, as shells behind a company's proxy do.
    """
    without_aws = {name: v for name, v in os.environ.items() if not name.startswith("AWS_")}
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    ended = subprocess.run(  # noqa: S603 - our own lines and code
        ["/bin/sh", "-c", f'{exports}\nexec "$0" -c "$1"', sys.executable, code],
        cwd=ROOT,
        env=without_aws | proxy,
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


@pytest.fixture
def _restore_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_inside_the_block_boto3_goes_to_the_server() -> None:
    """A client without any argument talks to the server, over HTTP, and faults meet it."""
    with LocalAws() as aws, faults.record_calls() as calls:
        seed.upload_certificate(aws.client, "web")
        listed = boto3.client("iam").list_server_certificates()
        denied = faults.inject(fault=faults.AccessDenied(), operation="ListServerCertificates")
        with denied, pytest.raises(aws.client("iam").exceptions.ClientError, match="AccessDenied"):
            boto3.client("iam").list_server_certificates()
        assert [
            one["ServerCertificateName"] for one in listed["ServerCertificateMetadataList"]
        ] == ["web"]
        assert {urlsplit(call.url).netloc for call in calls} == {
            urlsplit(str(aws.endpoint_url)).netloc
        }


def test_hosts_that_need_no_proxy_stay_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours are added to the caller's, once, and the caller's are back afterwards."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "intranet.example.com,localhost")
    with LocalAws() as aws:
        hosts = "127.0.0.1,localhost,172.17.0.1,intranet.example.com"
        assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == hosts
        assert aws.environment["NO_PROXY"] == hosts
    assert os.environ["NO_PROXY"] == "intranet.example.com,localhost"
    assert "no_proxy" not in os.environ


def test_a_taken_port_is_one_clear_error() -> None:
    """Who asks for a port that is in use is told so at once."""
    with (
        occupy_port() as port,
        pytest.raises(LocalAwsError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*in use"),
        LocalAws(port=port),
    ):
        pass


def test_a_port_is_free_again_afterwards() -> None:
    """Nothing listens after the block, and a server can start on the same port right away."""
    port = find_port()
    for _ in range(2):
        with LocalAws(port=port) as aws:
            assert aws.endpoint_url == f"http://127.0.0.1:{port}"
            assert aws.client("iam").list_server_certificates()["IsTruncated"] is False
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass


def test_started_by_hand_it_serves_other_processes_until_it_is_stopped() -> None:
    """The printed lines direct another process here; SIGTERM ends the server with status 0."""
    port = find_port()
    with start("--port", str(port)) as server:
        exports = read_exports(server)
        assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}\n" in exports
        assert f"export AWS_ENDPOINT_URL_STS=http://127.0.0.1:{port}\n" in exports
        assert all(line.startswith(("export ", "#")) for line in exports.splitlines())
        assert run_in_shell(exports, USE_IT).splitlines() == ["111122223333", "[]", "NoSuchEntity"]
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=10)
        assert (server.returncode, errors) == (0, "")


def test_started_by_hand_it_has_the_expired_certificates_that_were_asked_for() -> None:
    """Other processes find there what they could not upload themselves."""
    code = """
import boto3
from datetime import UTC, datetime
for one in boto3.client("iam").list_server_certificates()["ServerCertificateMetadataList"]:
    print(one["Arn"], one["Expiration"] < datetime.now(UTC))
"""
    port = str(find_port())
    with start("--port", port, "--plant", "web", "--plant", "/old/shop") as server:
        found = run_in_shell(read_exports(server), code).splitlines()
    arn = "arn:aws:iam::111122223333:server-certificate"
    assert found == [f"{arn}/old/shop True", f"{arn}/web True"]


@pytest.mark.usefixtures("_restore_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """Ctrl-C and SIGTERM end the server with status 0 and without a word."""

    def stop_when_ready(aws: LocalAws) -> str:
        os.kill(os.getpid(), number)
        return f"ready on {aws.endpoint_url}\n"

    monkeypatch.setattr("local.serve.describe", stop_when_ready)
    assert serve("127.0.0.1", 0) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("ready on http://127.0.0.1:")
    assert captured.err == ""


@pytest.mark.usefixtures("_restore_signals")
@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1"])  # noqa: S104 - refused
def test_started_by_hand_elsewhere_it_says_why_not(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    """An address that others can reach is refused in one line."""
    assert serve(host, 0) == 1
    line = f"the local AWS listens on 127.0.0.1, localhost, 172.17.0.1, not {host}\n"
    assert capsys.readouterr() == ("", line)


@pytest.mark.usefixtures("_restore_signals")
def test_started_by_hand_on_a_taken_port_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use is one line, not a traceback."""
    with occupy_port() as port:
        assert serve("127.0.0.1", port) == 1
    line = f"cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert capsys.readouterr() == ("", line)
