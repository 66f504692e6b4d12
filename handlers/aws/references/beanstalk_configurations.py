"""Elastic Beanstalk: option settings of environments and of saved configurations.

Beanstalk answers a missing permission with an empty list instead of an error, so whatever a list
names must also come back when it is asked for by name.

https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/command-options-general.html
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.aws.answers import IncompleteReadingError, require_list, require_text
from handlers.aws.references.source import Reader, Source, VanishedError
from models.reference import GapKind

if TYPE_CHECKING:
    from mypy_boto3_elasticbeanstalk import ElasticBeanstalkClient
    from mypy_boto3_elasticbeanstalk.type_defs import (
        ApplicationDescriptionTypeDef,
        ConfigurationOptionSettingTypeDef,
        EnvironmentDescriptionTypeDef,
    )

CERTIFICATE_OPTIONS = frozenset({"SSLCertificateId", "SSLCertificateArns"})

# One option can list several certificates, and a certificate's name can contain a comma, even at
# its end; neither white space nor a semicolon.
BETWEEN_ARNS = re.compile(r"[;\s]+|,+(?=arn:)")

# Beanstalk's service model has no exception of its own for what does not exist.
VANISHED = re.compile(r"No (Environment|Configuration Template|Application) ")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What has option settings: an environment or a saved configuration.

    Attributes:
        application: the application that it belongs to.
        option: the parameter that names it in a call, and the member that does in the answer.
        name: its name.
        id: what tells it from another one that had its name before.
    """

    application: str
    option: str
    name: str
    id: str = ""

    def __str__(self) -> str:
        if self.option == "TemplateName":
            return f"saved configuration {self.application}/{self.name}"
        return f"environment {self.name}"

    @property
    def key(self) -> str:
        """What no other configuration of the account and Region has."""
        return f"{self} {self.id}"


Page = Mapping[str, Configuration]


async def read_configurations(reader: Reader) -> None:
    """Note every IAM certificate in the settings of environments and saved configurations."""

    async def read(configuration: Configuration) -> None:
        await _read_settings(reader, configuration)

    await reader.read_listed(_Listing(reader).list_pages, read)


@dataclass(slots=True)
class _Listing:
    """Lists what has settings, and knows which applications were missing when it last did."""

    reader: Reader
    missing: set[str] = field(default_factory=set)

    async def list_pages(self) -> AsyncIterator[Page]:
        """Return environments and saved configurations, page by page.

        Raises:
            VanishedError: an application was created or deleted between the calls.
            IncompleteReadingError: an application with environments is never listed.
        """
        client: ElasticBeanstalkClient = self.reader.client
        answer = await self.reader.call(client.describe_applications)
        applications = {
            require_text(one, "ApplicationName", "an application"): one
            for one in require_list(answer, "Applications", "DescribeApplications")
        }
        yield _index(
            configuration
            for name, application in applications.items()
            for configuration in _describe_saved(name, application)
        )
        missing: set[str] = set()
        pages = client.get_paginator("describe_environments").paginate(IncludeDeleted=False)
        async for page in self.reader.pages(pages):
            environments = [
                _describe_environment(one)
                for one in require_list(page, "Environments", "DescribeEnvironments")
            ]
            missing |= {one.application for one in environments} - applications.keys()
            # Before its application is listed, no environment is taken for read.
            yield _index(one for one in environments if one.application in applications)
        self._judge(missing)

    def _judge(self, missing: set[str]) -> None:
        if still := sorted(missing & self.missing):
            raise IncompleteReadingError(
                f"application {still[0]} is not listed, as if permission were missing",
                GapKind.DENIED,
            )
        self.missing = missing
        if missing:
            raise VanishedError


def _index(configurations: Iterable[Configuration]) -> Page:
    return {one.key: one for one in configurations}


def _describe_saved(name: str, application: "ApplicationDescriptionTypeDef") -> list[Configuration]:
    templates = require_list(application, "ConfigurationTemplates", f"application {name}")
    return [Configuration(name, "TemplateName", template) for template in templates]


def _describe_environment(environment: "EnvironmentDescriptionTypeDef") -> Configuration:
    name = require_text(environment, "EnvironmentName", "an environment")
    application = require_text(environment, "ApplicationName", f"environment {name}")
    return Configuration(application, "EnvironmentName", name, environment.get("EnvironmentId", ""))


async def _read_settings(reader: Reader, of: Configuration) -> None:
    for description in await _ask_for_settings(reader, of):
        for option in require_list(description, "OptionSettings", str(of)):
            # The environment's load balancer, which serves, is a source of its own.
            reader.note(str(of), *_find_certificates(option), needs_certificate=False, live=False)
    reader.examined += 1


async def _ask_for_settings(reader: Reader, of: Configuration) -> list[Mapping[str, Any]]:
    """Return the settings of a configuration: those in use, and those being deployed.

    Raises:
        VanishedError: it is gone.
        IncompleteReadingError: Beanstalk says nothing about it.
    """
    client: ElasticBeanstalkClient = reader.client
    named: Any = {"ApplicationName": of.application, of.option: of.name}
    try:
        answer = await reader.call(client.describe_configuration_settings, **named)
    except ClientError as error:
        if _has_vanished(error):
            raise VanishedError from error
        raise
    descriptions = [
        one
        for one in require_list(answer, "ConfigurationSettings", f"the answer about {of}")
        if one.get(of.option) == of.name
    ]
    if not descriptions:
        raise IncompleteReadingError(
            f"no settings of {of}, as if permission were missing", GapKind.DENIED
        )
    return descriptions


def _find_certificates(option: "ConfigurationOptionSettingTypeDef") -> list[str]:
    value = option.get("Value", "").strip()
    if option.get("OptionName") not in CERTIFICATE_OPTIONS and not _has_iam_arn(value):
        return []
    parts = BETWEEN_ARNS.split(value)
    return [*parts, *(part.rstrip(",") for part in parts if part.endswith(","))]


def _has_iam_arn(text: str) -> bool:
    return ":server-certificate/" in text


def _has_vanished(error: ClientError) -> bool:
    answer = error.response["Error"]
    return answer.get("Code") == "InvalidParameterValue" and bool(
        VANISHED.match(answer.get("Message", ""))
    )


SOURCE = Source(name="Elastic Beanstalk", service="elasticbeanstalk", read=read_configurations)
