"""ministack with one entry point: runs in an environment of its own, as a script.

What ministack lacks (server certificates, Security Hub, what can refer to a certificate, most of
what ACM lists) it passes on to the patched moto, once ministack's own IAM has allowed the call to
the function's role.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib
import inspect
import json
import logging
import os
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

import urllib3

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, dict[str, str], bytes]

# By the name that requests are signed for; the value is the prefix of its IAM actions.
PASSED_ON = {
    "acm": "acm",
    "appsync": "appsync",
    "cloudfront": "cloudfront",
    "ec2": "ec2",
    "elasticbeanstalk": "elasticbeanstalk",
    "elasticloadbalancing": "elasticloadbalancing",
    "iam": "iam",
    "securityhub": "securityhub",
}
NOT_FORWARDED = frozenset({"connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True)
class Call:
    """One request to a service that ministack does not have."""

    service: str
    method: str
    path: str
    raw_path: bytes
    query: str
    headers: dict[str, str]
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes

    @functools.cached_property
    def parameters(self) -> dict[str, list[str]]:
        """What a query protocol's request says in its body."""
        return parse_qs(self.body.decode(errors="replace")) if self.body else {}


class Front:
    """The ASGI application in front of ministack's."""

    def __init__(self, ministack: ModuleType, moto_url: str) -> None:
        self._ministack = ministack
        self._moto_url = moto_url
        self._connections = urllib3.PoolManager(maxsize=64, block=True)
        self._core: dict[str, Any] = {
            name: importlib.import_module(f"ministack.core.{name}")
            for name in ("iam_actions", "iam_evaluator", "responses", "router")
        }
        self._core["iam_actions"]._BOTOCORE_SERVICE_MAP["securityhub"] = ["securityhub"]  # noqa: SLF001 - the table has no public way in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request here, or let ministack do it."""
        if scope["type"] == "http":
            # Policies that deny what is not encrypted on its way cannot be met on a loopback.
            scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        service = self._find_service(scope) if scope["type"] == "http" else None
        if service is None:
            await self._ministack.app(scope, receive, send)
            return
        body = await _read_body(receive)
        call = _describe(service, scope, body)
        if service == "iam" and "ServerCertificate" not in call.parameters.get("Action", [""])[0]:
            await self._ministack.app(scope, _replay(body), send)
            return
        answer = self._refuse(call)
        if answer is None:
            answer = await asyncio.to_thread(self._pass_on, call)
        await _send(send, *answer)

    def _find_service(self, scope: Scope) -> str | None:
        headers = dict(scope["headers"])
        credential = headers.get(b"authorization", b"").decode().partition("Credential=")[2]
        parts = credential.partition(",")[0].split("/")
        service = parts[3] if len(parts) == 5 else ""  # noqa: PLR2004 - key/date/region/service/aws4_request
        return service if service in PASSED_ON else None

    def _refuse(self, call: Call) -> Answer | None:
        """Return AWS's refusal if the caller's role does not allow the call."""
        evaluator, router = self._core["iam_evaluator"], self._core["router"]
        query = parse_qs(call.query, keep_blank_values=True)
        key = router.extract_access_key_id(call.headers, query)
        scope_of = self._ministack._request_account_scope  # noqa: SLF001 - as its own entry point does
        self._core["responses"].set_request_account_id(scope_of(key))
        self._core["responses"].set_request_region(router.extract_region(call.headers, query))
        evaluator.pin_request_caller(call.headers, query)
        evaluator.pin_request_origin("127.0.0.1", True)  # noqa: FBT003 - positional there
        evaluator.pin_signed_request(call.method, call.raw_path.decode(), query, call.raw_headers)
        evaluator.pin_signed_body(call.body)
        action = self._name_action(call)
        region = router.extract_region(call.headers, query)
        denied = evaluator.enforce(
            key, action, call.service, region, resource_arn=self._name_resource(call)
        )
        if denied is None:
            return None
        kinds = {
            "acm": "lambda",
            "cloudfront": "cloudfront",
            "securityhub": "lambda",
            "appsync": "lambda",
        }
        status, headers, body = self._core["iam_actions"].access_denied_response(
            kinds.get(call.service, call.service if call.service != "elasticbeanstalk" else "iam"),
            action,
            getattr(denied, "principal_arn", ""),
            str(uuid.uuid4()),
            headers=call.headers,
            error_code=getattr(denied, "code", ""),
            message=getattr(denied, "message", ""),
        )
        logging.getLogger("front").warning("denied: %s", action)
        return status, headers, body

    def _name_action(self, call: Call) -> str:
        named = call.parameters.get("Action")
        rest = self._core["iam_actions"]._match_rest_action  # noqa: SLF001 - no public name
        # What protocols of JSON name in a header, others name in the body or by the path.
        target = call.headers.get("x-amz-target", "").rpartition(".")[2]
        operation = named[0] if named else target or rest(call.service, call.method, call.path)
        # CloudFront's operations carry the version of the API in their name.
        operation = (operation or "Unknown").split("20")[0]
        return f"{PASSED_ON[call.service]}:{operation}"

    def _name_resource(self, call: Call) -> str:
        names = call.parameters.get("ServerCertificateName")
        if not names:
            return "*"
        account = self._core["responses"].get_account_id()
        return f"arn:aws:iam::{account}:server-certificate/{names[0]}"

    def _pass_on(self, call: Call) -> Answer:
        target = call.raw_path.decode() + (f"?{call.query}" if call.query else "")
        answer = self._connections.request(
            call.method,
            self._moto_url + target,
            body=call.body,
            headers={k: v for k, v in call.headers.items() if k not in NOT_FORWARDED},
            redirect=False,
            retries=False,
        )
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in NOT_FORWARDED}
        return answer.status, headers, answer.data


async def _read_body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _replay(body: bytes) -> Receive:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _describe(service: str, scope: Scope, body: bytes) -> Call:
    return Call(
        service,
        scope["method"],
        scope["path"],
        scope.get("raw_path") or scope["path"].encode(),
        scope.get("query_string", b"").decode(),
        {name.decode().lower(): value.decode() for name, value in scope["headers"]},
        scope["headers"],
        body,
    )


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes | str) -> None:
    content = body.encode() if isinstance(body, str) else body
    pairs = [(name.encode(), str(value).encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})


def patch(ministack: ModuleType, python: str, moto_url: str) -> None:
    """Correct what keeps the real template, events and artifact from running in ministack."""
    _accept_events_of_aws(importlib.import_module("ministack.services.eventbridge"))
    _tell_of_alarms(
        importlib.import_module("ministack.core.iam_evaluator"),
        importlib.import_module("ministack.services.cloudwatch"),
    )
    _run_functions_on(python, importlib.import_module("ministack.core.lambda_runtime"))
    provisioners = importlib.import_module("ministack.services.cloudformation.provisioners")
    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001 - there is no public way in
    handlers["AWS::CloudWatch::CompositeAlarm"] = {
        "create": lambda logical_id, _, stack: (f"{stack}-{logical_id}", {}),
        "delete": lambda *_: None,
    }
    handlers["AWS::SecurityHub::ActionTarget"] = {
        "create": functools.partial(_create_action_target, moto_url),
        "delete": lambda *_: None,
    }
    if not ministack.AUTH:
        raise SystemExit("AUTH=true is needed: functions have to run as their roles")


def _accept_events_of_aws(bus: Any) -> None:
    if "allow_aws_source" not in inspect.signature(bus._put_events).parameters:  # noqa: SLF001
        raise SystemExit("ministack has no check of aws.* sources to lift any more")
    bus._put_events = functools.partial(bus._put_events, allow_aws_source=True)  # noqa: SLF001


def _tell_of_alarms(evaluator: Any, cloudwatch: Any) -> None:
    """Let policies be judged by which alarms are meant, by their tags, and by the namespace."""
    judge = evaluator.enforce

    def enforce(
        key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        request = evaluator._signed_request.get()  # noqa: SLF001 - nothing else has the body
        # Of root's requests, which everything is allowed, it keeps none.
        if service != "monitoring" or request is None:
            return judge(key, action, service, region, resource_arn, service_context)
        asked = json.loads(request.body or b"{}")
        account = importlib.import_module("ministack.core.responses").get_account_id()
        start = f"arn:aws:cloudwatch:{region}:{account}:alarm:"
        names = [*asked.get("AlarmNames", []), *filter(None, [asked.get("AlarmName")])]
        arns = [start + name for name in names] or [asked.get("ResourceARN", "*")]
        for arn in arns:
            tags = cloudwatch._resource_tags.get(arn, {})  # noqa: SLF001 - nothing else has them
            context = {f"aws:ResourceTag/{name}": value for name, value in tags.items()}
            context |= {
                "cloudwatch:namespace": asked.get("Namespace", ""),
                **(service_context or {}),
            }
            if denied := judge(key, action, service, region, arn, context):
                return denied
        return None

    evaluator.enforce = enforce


def _run_functions_on(python: str, runtime: Any) -> None:
    script = runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001
    runtime._detect_runtime_binary = lambda _: (python, script)  # noqa: SLF001


def _create_action_target(
    moto_url: str, _logical_id: str, properties: dict[str, Any], _stack: str
) -> tuple[str, dict[str, str]]:
    region = importlib.import_module("ministack.core.responses").get_region()
    account = importlib.import_module("ministack.core.responses").get_account_id()
    credential = f"AKIA{account}ROOT/20260101/{region}/securityhub/aws4_request"
    answer = urllib3.request(
        "POST",
        f"{moto_url}/actionTargets",
        json={name: properties[name] for name in ("Name", "Description", "Id")},
        headers={"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host"},
        timeout=60,  # its default of 3 s is too short for the first call, which loads the service
    )
    if answer.status != HTTPStatus.OK:
        raise ValueError(f"Security Hub refuses the custom action: {answer.data.decode()}")
    arn = str(answer.json()["ActionTargetArn"])
    return arn, {"ActionTargetArn": arn}


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--moto", required=True, help="URL of the patched moto")
    parser.add_argument("--python", required=True, help="interpreter of the functions")
    options = parser.parse_args()
    os.environ.update(
        GATEWAY_PORT=str(options.port), MINISTACK_HOST="127.0.0.1", BIND_HOST="127.0.0.1"
    )
    ministack = importlib.import_module("ministack.app")
    # Functions inherit this environment, and their loggers would obey it too.
    os.environ.pop("LOG_LEVEL", None)
    patch(ministack, options.python, options.moto)
    config = importlib.import_module("hypercorn.config").Config()
    config.bind = [f"127.0.0.1:{options.port}"]
    serve = importlib.import_module("hypercorn.asyncio").serve
    asyncio.run(serve(Front(ministack, options.moto), config))


if __name__ == "__main__":
    main()
