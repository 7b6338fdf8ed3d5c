"""What must hold in rendered manifests and in the compose file, beyond their schemas.

    manifests.py chart RENDERED FOLDER      puts the programs' configurations into FOLDER as well
    manifests.py compose COMPOSED MAKE-SECRETS
"""

import pathlib
import re
import sys

import yaml


def ensure(holds, complaint):
    if not holds:
        sys.exit(f"FAILED: {complaint}")


def hardened(pod, container, where):
    """Kubernetes' profile "restricted" (Pod Security Standards), and a root that cannot be written."""
    context = container["securityContext"]
    ensure(context["allowPrivilegeEscalation"] is False, f"{where}: escalation")
    ensure(context["readOnlyRootFilesystem"] is True, f"{where}: its root can be written")
    ensure(context["capabilities"]["drop"] == ["ALL"], f"{where}: capabilities")
    ensure(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", f"{where}: seccomp")
    ensure(container["resources"]["limits"]["memory"], f"{where}: no limit of memory")
    return context


def chart(rendered, folder):
    documents = [document for document in yaml.safe_load_all(pathlib.Path(rendered).read_text()) if document]
    kinds = {document["kind"] for document in documents}
    ensure(not kinds & {"Secret", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}, f"made: {kinds}")
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    ensure(len(names) == len(set(names)), "two things of one name")
    maps = {document["metadata"]["name"]: document for document in documents if document["kind"] == "ConfigMap"}
    for document in documents:
        if document["kind"] not in ("StatefulSet", "DaemonSet"):
            continue
        template = document["spec"]["template"]
        pod, where = template["spec"], document["kind"]
        selector = document["spec"]["selector"]["matchLabels"]
        ensure(selector.items() <= template["metadata"]["labels"].items(), f"{where}: finds not its own pods")
        ensure(pod["automountServiceAccountToken"] is False, f"{where}: a token is mounted")
        ensure(pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 65532,
               f"{where}: its user")
        ensure(not any(pod.get(flag) for flag in ("hostNetwork", "hostPID", "hostIPC")), f"{where}: the host's")
        for container in pod["containers"]:
            context = hardened(pod, container, where)
            ensure("add" not in context["capabilities"], f"{where}: capabilities are added")
            ensure("runAsUser" not in context, f"{where}: another user")
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            claims = document["spec"].get("volumeClaimTemplates", [])
            there = {volume["name"] for volume in pod["volumes"]} | {claim["metadata"]["name"] for claim in claims}
            ensure(mounted == there, f"{where}: mounted {mounted}, there {there}")
            ensure(all(mount.get("readOnly") or mount["name"] == "state" for mount in container["volumeMounts"]),
                   f"{where}: more than its state can be written")
            ensure("livenessProbe" in container and "startupProbe" in container, f"{where}: probes")
        for container in pod.get("initContainers", []):
            context = hardened(pod, container, f"{where}: {container['name']}")
            ensure(context["capabilities"]["add"] == ["CHOWN", "FOWNER"], f"{where}: what it may do beforehand")
        for volume in pod["volumes"]:
            if "configMap" in volume:
                ensure(volume["configMap"]["name"] in maps, f"{where}: no ConfigMap {volume['configMap']['name']}")
            if "secret" in volume:
                ensure(volume["secret"]["defaultMode"] == 0o440, f"{where}: a secret that everybody may read")
        if where == "StatefulSet":
            ensure(not any("hostPath" in volume for volume in pod["volumes"]), f"{where}: something of the host")
            services = {one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == "Service"}
            ensure(services[document["spec"]["serviceName"]]["clusterIP"] == "None", "no headless service")
            ports = {port["name"] for port in pod["containers"][0]["ports"]}
            for name, service in services.items():
                ensure({port["targetPort"] for port in service["ports"]} <= ports, f"{name}: leads to no port")
    for config in maps.values():
        for name in ("central.yaml", "agent.yaml"):
            if name in config["data" if "data" in config else "metadata"]:
                pathlib.Path(folder, name).write_text(config["data"][name])


def has_health_check(service):
    """Its own, or that of the image that is built for it."""
    if "healthcheck" in service or "build" not in service:
        return "healthcheck" in service
    stages = re.split(r"^FROM .* AS ", pathlib.Path("packaging/container/Dockerfile").read_text(), flags=re.M)
    return any(stage.split()[0] == service["build"]["target"] and "\nHEALTHCHECK " in stage for stage in stages)


def compose(composed, make_secrets):
    project = yaml.safe_load(pathlib.Path(composed).read_text())
    text = pathlib.Path(make_secrets).read_text()
    owners = dict(re.findall(r"([A-Z]+)=(\d+)", text.split("readonly ", 1)[1].splitlines()[0]))
    users = {"postgres": owners["POSTGRES"], "redis": owners["REDIS"]}
    for name, service in project["services"].items():
        ensure(service["cap_drop"] == ["ALL"] and "cap_add" not in service, f"{name}: capabilities")
        ensure(service["security_opt"] == ["no-new-privileges:true"], f"{name}: new privileges")
        ensure(service.get("read_only", False) or name == "elasticsearch", f"{name}: its root can be written")
        ensure(not service.get("privileged") and "pid" not in service, f"{name}: the host's")
        for port in service.get("ports", []):
            ensure(port["host_ip"] == "127.0.0.1", f"{name}: a port beyond loopback")
        ensure(not re.search("password|secret|token", str(service.get("environment", {})), re.I)
               or all(value.startswith("/run/secrets/") for key, value in service["environment"].items()
                      if re.search("password|secret|token", key, re.I)), f"{name}: a secret in the environment")
        for dependency, how in service.get("depends_on", {}).items():
            ensure(how["condition"] != "service_healthy" or has_health_check(project["services"][dependency]),
                   f"{name}: {dependency} has no health check")
        if name in users:
            ensure(service["user"].split(":")[0] == users[name], f"{name}: make-secrets knows another user")
        if list(service.get("networks", {})) == ["engines"]:
            ensure("ports" not in service, f"{name}: an engine with a port")
    ensure(project["networks"]["engines"]["internal"] is True, "engines are not apart")
    made = set(re.findall(r"put ([a-z/.-]+) ", text))
    for name, secret in project["secrets"].items():
        path = secret["file"].split("/secrets/")[1]
        ensure(path in made, f"{name}: make-secrets does not make {path}")


if __name__ == "__main__":
    {"chart": chart, "compose": compose}[sys.argv[1]](*sys.argv[2:])
