"""Elastic Beanstalk: option settings of environments and of saved configurations.

moto has no option settings and no saved configurations, terminates no environment, and ignores
filters and pages. So all of these are here, and a denied read too, which AWS answers with an empty
list and not with an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.elasticbeanstalk.models import Application, EBBackend, eb_backends
from moto.elasticbeanstalk.responses import EBResponse

from local.aws.knobs import knobs
from local.aws.patches.patch import ApiError, Patch, Request, state_of, take_page

PATCH = Patch("elasticbeanstalk")


@dataclass
class Settings:
    """The option settings of one account and Region, and the environments that are gone."""

    environments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    templates: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    terminated: list[Any] = field(default_factory=list)


def _backend(request: Request) -> EBBackend:
    return eb_backends[request.account][request.region]


def _settings(request: Request) -> Settings:
    return state_of(_backend(request), Settings)


def _application(request: Request) -> Application:
    name = request.params["ApplicationName"]
    if name not in _backend(request).applications:
        raise ApiError("InvalidParameterValue", f"No Application named '{name}' found.")
    return _backend(request).applications[name]


def _template(request: Request) -> list[dict[str, Any]]:
    application, name = request.params["ApplicationName"], request.params["TemplateName"]
    found = _settings(request).templates.get(application, {}).get(name)
    if found is None:
        raise ApiError(
            "InvalidParameterValue",
            f"No Configuration Template named '{application}/{name}' found.",
        )
    return found


@PATCH.replace_operation(EBResponse, "CreateEnvironment")
def create_environment(request: Request) -> Any:
    """Answer CreateEnvironment, with option settings of its own over those of its template."""
    params = request.params
    application = _application(request)
    name = params["EnvironmentName"]
    if any(name in held.environments for held in _backend(request).applications.values()):
        raise ApiError("InvalidParameterValue", f"Environment {name} already exists.")
    inherited = _template(request) if params.get("TemplateName") else []
    environment = application.create_environment(
        environment_name=name,
        solution_stack_name=params.get("SolutionStackName", ""),
        tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", [])},
    )
    environment.environment_id = f"e-{name}"
    _settings(request).environments[name] = _merge(inherited, params.get("OptionSettings", []))
    return environment


@PATCH.add_operation(EBResponse, "TerminateEnvironment")
def terminate_environment(request: Request) -> Any:
    """Answer TerminateEnvironment: the environment stays in the list as Terminated."""
    name = request.params["EnvironmentName"]
    for application in _backend(request).applications.values():
        if environment := application.environments.pop(name, None):
            environment.status = "Terminated"
            _settings(request).terminated.append(environment)
            _settings(request).environments.pop(name, None)
            return environment
    raise _no_environment(name)


@PATCH.add_operation(EBResponse, "CreateConfigurationTemplate")
def create_configuration_template(request: Request) -> dict[str, Any]:
    """Answer CreateConfigurationTemplate."""
    application = _application(request).application_name
    name = request.params["TemplateName"]
    templates = _settings(request).templates.setdefault(application, {})
    if name in templates:
        raise ApiError("InvalidParameterValue", f"Configuration Template {name} already exists.")
    templates[name] = list(request.params.get("OptionSettings", []))
    return {"ApplicationName": application, "TemplateName": name}


@PATCH.add_operation(EBResponse, "DeleteConfigurationTemplate")
def delete_configuration_template(request: Request) -> None:
    """Answer DeleteConfigurationTemplate."""
    _template(request)
    del _settings(request).templates[request.params["ApplicationName"]][
        request.params["TemplateName"]
    ]


@PATCH.replace_operation(EBResponse, "DescribeApplications")
def describe_applications(request: Request) -> dict[str, Any]:
    """Answer DescribeApplications."""
    if "DescribeApplications" in knobs.beanstalk_denied:
        return {"Applications": []}
    wanted = request.params.get("ApplicationNames")
    templates = _settings(request).templates
    return {
        "Applications": [
            {
                "ApplicationArn": application.arn,
                "ApplicationName": name,
                "ConfigurationTemplates": list(templates.get(name, {})),
                "Versions": [],
            }
            for name, application in _backend(request).applications.items()
            if not wanted or name in wanted
        ]
    }


@PATCH.replace_operation(EBResponse, "DescribeEnvironments")
def describe_environments(request: Request) -> dict[str, Any]:
    """Answer DescribeEnvironments; the terminated ones are in it unless they are left out."""
    if "DescribeEnvironments" in knobs.beanstalk_denied:
        return {"Environments": []}
    params = request.params
    environments = list(_backend(request).describe_environments())
    if params.get("IncludeDeleted", True):
        environments += _settings(request).terminated
    found = [
        environment
        for environment in environments
        if environment.environment_name
        in params.get("EnvironmentNames", [environment.environment_name])
        and environment.application_name
        == params.get("ApplicationName", environment.application_name)
    ]
    page, token = take_page(found, params.get("NextToken"), params.get("MaxRecords"), 1000)
    return {"Environments": page, "NextToken": token}


@PATCH.add_operation(EBResponse, "DescribeConfigurationSettings")
def describe_configuration_settings(request: Request) -> dict[str, Any]:
    """Answer DescribeConfigurationSettings."""
    if "DescribeConfigurationSettings" in knobs.beanstalk_denied:
        return {"ConfigurationSettings": []}
    params = request.params
    application = _application(request)
    found: dict[str, Any] = {"ApplicationName": application.application_name}
    if template := params.get("TemplateName"):
        found |= {"TemplateName": template, "OptionSettings": _template(request)}
    else:
        name = params.get("EnvironmentName", "")
        if name not in application.environments:
            raise _no_environment(name)
        found |= {
            "EnvironmentName": name,
            "DeploymentStatus": "deployed",
            "OptionSettings": _settings(request).environments.get(name, []),
        }
    now = datetime.now(UTC)
    return {"ConfigurationSettings": [found | {"DateCreated": now, "DateUpdated": now}]}


def _no_environment(name: str) -> ApiError:
    return ApiError(
        "InvalidParameterValue", f"No Environment found for EnvironmentName = '{name}'."
    )


def _merge(inherited: list[dict[str, Any]], own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_option = {
        (option.get("ResourceName"), option.get("Namespace"), option.get("OptionName")): option
        for option in [*inherited, *own]
    }
    return list(by_option.values())
