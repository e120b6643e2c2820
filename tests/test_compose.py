"""compose.yaml and the workflows keep to docs/design/container.md. Reads them; needs no engine."""

import re
from typing import Any

import pytest
import yaml
from conftest import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
SERVERS = {name: service for name, service in OURS.items() if "environment" in service}
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")
}
STAGES = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))


def test_images_are_stages_of_the_one_dockerfile() -> None:
    targets = {service["build"]["target"] for service in OURS.values()}
    built = {target for job in WORKFLOWS.values() for target in re.findall(r"'target': '(\w+)'", str(job))}
    assert targets == built | set(WORKFLOWS["check"]["jobs"]["image"]["strategy"]["matrix"]["target"])
    assert targets <= STAGES
    assert [service["build"]["target"] for service in SERVERS.values()].count("api") == 2


def test_services_may_do_little() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode"} & set(service), name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert "docker.sock" not in str(service), name


def test_images_are_named_with_versions() -> None:
    foreign = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert all(re.fullmatch(r"[a-z]+:\d+\.\d+-[a-z]+", image) for image in foreign), foreign


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert all(port.startswith("${SCALP_ADDRESS:-127.0.0.1}:") for port in SERVICES["proxy"]["ports"])
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert [name for name, service in SERVICES.items() if "outside" in (service.get("networks") or {})] == ["proxy"]


def test_proxy_knows_where_servers_are_and_they_trust_it_alone() -> None:
    proxy = SERVICES["proxy"]
    servers = [proxy["environment"][name] for name in ("SCALP_APP", "SCALP_API_1", "SCALP_API_2")]
    places = [SERVICES[name]["networks"]["inside"]["ipv4_address"] for name in ("app", "api-1", "api-2")]
    assert servers == [f"{place}:8501" for place in places]
    for service in SERVERS.values():
        assert service["environment"]["SCALP_TRUSTED_PROXIES"] == proxy["networks"]["inside"]["ipv4_address"]
        assert service["environment"]["SCALP_BASE_PATH"] == proxy["environment"]["SCALP_BASE_PATH"]
        assert service["environment"]["SCALP_ALLOWED_HOSTS"] == proxy["environment"]["SCALP_HOST"]
    filled = set(re.findall(r"\$\{(\w+)\}", (ROOT / "docs/proxy/nginx.conf.template").read_text(encoding="utf-8")))
    assert filled == {name for name in proxy["environment"] if name.startswith("SCALP_")}


def test_token_has_no_default() -> None:
    for service in SERVERS.values():
        assert service["environment"]["SCALP_TOKEN"].startswith("${SCALP_TOKEN?")


def test_replicas_only_read_what_the_dashboard_writes() -> None:
    for name in ("api-1", "api-2"):
        (volume,) = SERVICES[name]["volumes"]
        assert (volume["target"], volume["read_only"], volume["volume"]) == ("/app/artifacts", True, {"nocopy": True})


def test_every_mounted_file_is_there() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service["volumes"] if isinstance(mount, str)]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_workflows_have_few_rights_and_fixed_actions(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert set(job.get("permissions", {}).items()) <= {("contents", "read"), ("packages", "write")}
        for step in job.get("steps", []):
            if (action := step.get("uses")) and not action.startswith("docker://"):
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)


def test_publishing_waits_for_tests_and_says_what_is_inside() -> None:
    jobs = WORKFLOWS["publish"]["jobs"]
    assert jobs["image"]["needs"] == "test"
    assert jobs["test"]["uses"] == "./.github/workflows/check.yml"
    assert "workflow_call" in WORKFLOWS["check"][True]  # YAML 1.1 takes `on` for true
    push = jobs["image"]["steps"][-1]["with"]
    assert push["platforms"] == "linux/amd64,linux/arm64"
    assert (push["push"], push["provenance"], push["sbom"]) == (True, "mode=max", True)
    assert "'push': True" not in str(WORKFLOWS["check"])
