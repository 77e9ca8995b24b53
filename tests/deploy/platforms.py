"""What a platform makes of its manifests in deploy/: the Envoy configuration that its control plane and its agent send.

It follows the sources of Istio (pilot/pkg/networking, pilot/pkg/model/extensions.go, pkg/wasm/convert.go) and of Envoy
Gateway (internal/gatewayapi, internal/xds/translator) as of August 2026. Left out is what Envoy's own builds don't have
(`istio.alpn`, `istio.stats`), and what doesn't touch a request here.

usage: platforms.py PLATFORM MODULE DIRECTORY LISTENER_PORT BACKEND_PORT

Writes DIRECTORY/envoy.json and the files that this names. MODULE is the file that stands for the image of protobridge.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from manifests import DEPLOY, IMAGE, WASM, Mistake, documents, one

Json = Any

TYPES = "type.googleapis.com/envoy.extensions"
LUA = f"{TYPES}.filters.http.lua.v3.Lua"
RBAC = f"{TYPES}.filters.http.rbac.v3.RBAC"
HCM = f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
STRING = "type.googleapis.com/google.protobuf.StringValue"

# What Istio's `EDGE` profile and Envoy Gateway give a connection.
BUFFER = 32768


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("platform", choices=PLATFORMS)
    parser.add_argument("module", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("listener_port", type=int)
    parser.add_argument("backend_port", type=int)
    arguments = parser.parse_args()
    place = Place(arguments.module.resolve(), arguments.directory, arguments.listener_port, arguments.backend_port)
    try:
        bootstrap = PLATFORMS[arguments.platform](place)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 1
    place.directory.joinpath("envoy.json").write_text(json.dumps(bootstrap, indent=1))
    return 0


class Place:
    """The machine that stands for the cluster."""

    def __init__(self, module: Path, directory: Path, listener_port: int, backend_port: int) -> None:
        self.module = module
        self.directory = directory
        self.listener_port = listener_port
        self.backend_port = backend_port

    def pulled(self, url: str) -> Json:
        """The code of an image, as a file."""
        if url.removeprefix("oci://") != IMAGE:
            raise Mistake(f"expected the image {IMAGE}, found {url}")
        return {"local": {"filename": str(self.module)}}

    def listener(self, name: str, manager: Json, **more: Json) -> Json:
        filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {"@type": HCM, **manager}}]
        return {
            "name": name,
            "address": loopback(self.listener_port),
            "default_filter_chain": {"filters": filters},
            "per_connection_buffer_limit_bytes": BUFFER,
            **more,
        }

    def cluster(self, name: str, http2: Json | None) -> Json:
        """The bookstore; over HTTP/1.1 where there are no options of HTTP/2."""
        protocol = {"http_protocol_options": {}} if http2 is None else {"http2_protocol_options": http2}
        options = f"{TYPES}.upstreams.http.v3.HttpProtocolOptions"
        endpoint = {"endpoint": {"address": loopback(self.backend_port)}}
        return {
            "name": name,
            "type": "STATIC",
            "per_connection_buffer_limit_bytes": BUFFER,
            "typed_extension_protocol_options": {
                options.removeprefix("type.googleapis.com/"): {"@type": options, "explicit_http_config": protocol}
            },
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        }


def loopback(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def stock(name: str, type_name: str, **fields: Json) -> Json:
    """A filter that comes with Envoy."""
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{TYPES}.filters.http.{name}.v3.{type_name}", **fields},
    }


def speaks_http2(port_number: int) -> bool:
    """Whether the port of the bookstore's Service says so."""
    service = one(documents("bookstore", "bookstore.yaml"), "Service")
    ports = [port for port in service["spec"]["ports"] if port["port"] == port_number]
    if len(ports) != 1:
        raise Mistake(f"Service bookstore has no port {port_number}")
    return ports[0].get("appProtocol") in ("kubernetes.io/h2c", "grpc")


def routes(manifests: list[Json]) -> Iterator[tuple[str, Json, Json, int]]:
    """Of the HTTPRoutes and GRPCRoutes: kind, name and match in Envoy's form, longest prefix first, and the port."""
    found = []
    for manifest in manifests:
        kind = manifest["kind"]
        if kind not in ("HTTPRoute", "GRPCRoute"):
            continue
        for rule in manifest["spec"]["rules"]:
            [backend] = rule["backendRefs"]
            if backend["name"] != "bookstore":
                raise Mistake(f"{kind} leads to {backend['name']}")
            for match in rule["matches"]:
                if kind == "HTTPRoute":
                    if match["path"]["type"] != "PathPrefix":
                        raise Mistake(f"{kind}: {match} is not known here")
                    prefix = match["path"]["value"].rstrip("/")
                else:
                    prefix = "/" + match["method"]["service"]
                path = {"path_separated_prefix": prefix}
                found.append((kind, manifest["metadata"]["name"], path, backend["port"]))
    found.sort(key=lambda route: -len(route[2]["path_separated_prefix"]))
    return iter(found)


def targets_gateway(spec: Json) -> None:
    references = spec.get("targetRefs") or [spec["targetRef"]]
    if [(reference["kind"], reference["name"]) for reference in references] != [("Gateway", "bookstore")]:
        raise Mistake(f"not for the gateway: {references}")


# Istio


def istio(place: Place, filters: list[Json], in_front_of_router: list[Json]) -> Json:
    """A gateway of Istio's: `filters` stand where those of its own API do, the others right in front of the router."""
    manifests = documents("istio", "gateway.yaml")
    if one(manifests, "Gateway", "bookstore")["spec"]["gatewayClassName"] != "istio":
        raise Mistake("not a gateway of Istio's")
    chain = [
        *filters,
        stock("grpc_stats", "FilterConfig", emit_filter_state=True),
        stock("fault", "HTTPFault"),
        stock("cors", "Cors"),
        *in_front_of_router,
        stock("router", "Router"),
    ]
    clusters: dict[str, Json] = {}
    virtual_host: Json = {"name": "*:80", "domains": ["*"], "routes": []}
    for _, _, match, port in routes(manifests):
        name = f"outbound|{port}||bookstore.default.svc.cluster.local"
        clusters[name] = place.cluster(name, {} if speaks_http2(port) else None)
        virtual_host["routes"].append({"match": match, "route": {"cluster": name, "timeout": "0s"}})
    manager = {
        "stat_prefix": "outbound_0.0.0.0_80",
        "normalize_path": True,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "use_remote_address": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "0s",
        "route_config": {"name": "http.80", "virtual_hosts": [virtual_host]},
        "http_filters": chain,
    }
    return static(place.listener("0.0.0.0_80", manager), list(clusters.values()))


def static(listener: Json, clusters: list[Json]) -> Json:
    node = {"id": "gateway", "cluster": "bookstore"}
    return {"node": node, "static_resources": {"listeners": [listener], "clusters": clusters}}


def discovered(place: Place, name: str, types: list[str], extension: Json) -> Json:
    """A filter by ECDS, and the file that it comes from."""
    path = place.directory / f"{name}.json"
    resource = {"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": name}
    path.write_text(json.dumps({"version_info": "1", "resources": [{**resource, "typed_config": extension}]}))
    source = {"path_config_source": {"path": str(path)}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    return {"name": name, "config_discovery": {"config_source": source, "type_urls": types}}


def istio_envoyfilter(place: Place, pulled: bool = True) -> Json:
    spec = one(documents("istio", "envoyfilter.yaml"), "EnvoyFilter")["spec"]
    targets_gateway(spec)
    filters, extensions = [], {}
    for patch in spec["configPatches"]:
        match, operation, value = patch["match"], patch["patch"]["operation"], patch["patch"]["value"]
        if match["context"] != "GATEWAY":
            raise Mistake("a patch that isn't for gateways")
        if (patch["applyTo"], operation) == ("EXTENSION_CONFIG", "ADD"):
            extensions[value["name"]] = value["typed_config"]
        elif (patch["applyTo"], operation) == ("HTTP_FILTER", "INSERT_BEFORE"):
            chain = match["listener"]["filterChain"]["filter"]
            if (chain["name"], chain["subFilter"]["name"]) != (
                "envoy.filters.network.http_connection_manager",
                "envoy.filters.http.router",
            ):
                raise Mistake(f"not in front of the router: {match}")
            filters.append(value)
        else:
            raise Mistake(f"{operation} of {patch['applyTo']} is not known here")
    return istio(place, [], [delivered(place, element, extensions, pulled) for element in filters])


def delivered(place: Place, element: Json, extensions: dict[str, Json], pulled: bool) -> Json:
    """A filter as the agent hands it on."""
    if "config_discovery" not in element:
        return element
    discovery = element["config_discovery"]
    if discovery["config_source"].get("ads") != {}:
        raise Mistake("a filter that the control plane doesn't send")
    extension = copy.deepcopy(extensions[element["name"]])
    code = extension["config"]["vm_config"]["code"]
    remote = code.pop("remote")
    # Without a sum the agent is told so by this word: Istio refuses a remote file with none.
    if not re.fullmatch("nil|[0-9a-f]{64}", remote["sha256"]) or not remote["http_uri"]["cluster"]:
        raise Mistake(f"the agent can't pull this: {remote}")
    if not remote["http_uri"]["uri"].startswith("oci://"):
        raise Mistake(f"not an image: {remote}")
    code.update(place.pulled(remote["http_uri"]["uri"]))
    if not pulled:
        # An empty rule admits nothing.
        extension = {"@type": RBAC, "rules": {}, "rules_stat_prefix": "wasm-default-deny"}
    return discovered(place, element["name"], discovery["type_urls"], extension)


def istio_envoyfilter_without_image(place: Place) -> Json:
    return istio_envoyfilter(place, pulled=False)


def istio_wasm(place: Place, name: str, wasm: Json) -> Json:
    """The filter of a WasmPlugin, or of the `wasm` of a TrafficExtension."""
    config = {
        "name": f"default.{name}",
        "configuration": {"@type": STRING, "value": json.dumps(wasm["pluginConfig"])},
        "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": place.pulled(wasm["url"])},
        "failure_policy": {"FAIL_OPEN": "FAIL_OPEN", "FAIL_CLOSE": "FAIL_CLOSED", "FAIL_RELOAD": "FAIL_RELOAD"}[
            wasm.get("failStrategy", "FAIL_CLOSE")
        ],
    }
    return discovered(place, f"default.{name}", [WASM, RBAC], {"@type": WASM, "config": config})


def istio_wasmplugin(place: Place) -> Json:
    plugin = one(documents("istio", "wasmplugin.yaml"), "WasmPlugin")
    targets_gateway(plugin["spec"])
    return istio(place, [istio_wasm(place, plugin["metadata"]["name"], plugin["spec"])], [])


def istio_trafficextension(place: Place) -> Json:
    extensions = documents("istio", "trafficextension.yaml")
    extensions.sort(key=lambda extension: -extension["spec"].get("priority", 0))
    filters = []
    for extension in extensions:
        spec, name = extension["spec"], extension["metadata"]["name"]
        targets_gateway(spec)
        if "lua" in spec:
            source = {"inline_string": spec["lua"]["inlineCode"]}
            filters.append({"name": name, "typed_config": {"@type": LUA, "default_source_code": source}})
        else:
            filters.append(istio_wasm(place, name, spec["wasm"]))
    return istio(place, filters, [])


# Envoy Gateway

# The order in which it sorts filters.
ORDER = ("cors", "lua", "wasm", "rbac", "grpc_web", "grpc_stats", "router")

LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
# The gateway's listener, as Envoy Gateway calls it from 1.10 on, and before.
BY_PORT = "tcp-80"
BY_GATEWAY = "default/bookstore/http"


def envoy_gateway(place: Place, policy: Json, listener: str = BY_PORT) -> Json:
    """A gateway of Envoy Gateway's with this EnvoyExtensionPolicy, and this name of its listener."""
    manifests = documents("envoy-gateway", "plain", "gateway.yaml")
    gateway_class = one(manifests, "Gateway", "bookstore")["spec"]["gatewayClassName"]
    controller = one(manifests, "GatewayClass", gateway_class)["spec"]["controllerName"]
    if controller != "gateway.envoyproxy.io/gatewayclass-controller":
        raise Mistake("not a gateway of Envoy Gateway's")
    targets_gateway(policy["spec"])
    clients = one(manifests, "ClientTrafficPolicy")["spec"]
    targets_gateway(clients)

    extensions = envoy_gateway_filters(place, policy)
    timeouts = envoy_gateway_timeouts(manifests)
    clusters: dict[str, Json] = {}
    virtual_host: Json = {"name": "*", "domains": ["*"], "routes": []}
    filters = [*extensions, stock("router", "Router", suppress_envoy_headers=True)]
    for kind, name, match, port in routes(manifests):
        cluster = f"{kind.lower()}/default/{name}/rule/0"
        # A GRPCRoute is HTTP/2 in any case.
        http2 = {"initial_stream_window_size": 65536, "initial_connection_window_size": 1048576}
        clusters[cluster] = place.cluster(cluster, http2 if kind == "GRPCRoute" or speaks_http2(port) else None)
        action = {"cluster": cluster, **timeouts.get((kind, name), {})}
        enabled = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
        per_filter = {extension["name"]: enabled for extension in extensions}
        virtual_host["routes"].append({"match": match, "route": action, "typed_per_filter_config": per_filter})
        if kind == "GRPCRoute" and not any(element["name"].endswith("grpc_web") for element in filters):
            filters += [stock("grpc_web", "GrpcWeb"), stock("grpc_stats", "FilterConfig", emit_filter_state=True)]
    filters.sort(key=lambda element: ORDER.index(element["name"].split("/")[0].removeprefix("envoy.filters.http.")))
    escaped = clients.get("path", {}).get("escapedSlashesAction", "UnescapeAndRedirect")
    manager = {
        "stat_prefix": "http-80",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65536,
            "initial_connection_window_size": 1048576,
        },
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": re.sub("(?<!^)(?=[A-Z])", "_", escaped).upper(),
        "use_remote_address": True,
        "server_header_transformation": "PASS_THROUGH",
        "route_config": {"name": "http-80", "virtual_hosts": [virtual_host]},
        "http_filters": filters,
    }
    return static(place.listener(listener, manager), list(clusters.values()))


def envoy_gateway_filters(place: Place, policy: Json) -> list[Json]:
    """The filters of an EnvoyExtensionPolicy. Each is enabled by the routes that the policy is for."""
    name = f"envoyextensionpolicy/default/{policy['metadata']['name']}"
    filters = []
    for index, lua in enumerate(policy["spec"].get("lua", [])):
        config = {"@type": LUA, "default_source_code": {"inline_string": lua["inline"]}}
        filters.append({"name": f"envoy.filters.http.lua/{name}/lua/{index}", "disabled": True, "typed_config": config})
    for index, wasm in enumerate(policy["spec"].get("wasm", [])):
        if wasm["code"]["type"] != "Image":
            raise Mistake("expected an image")
        config = {
            "name": wasm["name"],
            "vm_config": {
                "vm_id": f"{name}/wasm/{index}",
                "runtime": "envoy.wasm.runtime.v8",
                "code": place.pulled(wasm["code"]["image"]["url"]),
            },
            "configuration": {"@type": STRING, "value": json.dumps(wasm["config"])},
        }
        typed = {"@type": WASM, "config": config}
        filter_name = f"envoy.filters.http.wasm/{name}/wasm/{index}"
        filters.append({"name": filter_name, "disabled": True, "typed_config": typed})
    return filters


def envoy_gateway_timeouts(manifests: list[Json]) -> dict[tuple[str, str], Json]:
    """By kind and name of the route. Without any, Envoy's own default of 15 s holds."""
    found = {}
    for manifest in manifests:
        if manifest["kind"] == "BackendTrafficPolicy":
            for reference in manifest["spec"]["targetRefs"]:
                timeout = manifest["spec"]["timeout"]["http"]["requestTimeout"]
                found[reference["kind"], reference["name"]] = {"timeout": timeout}
    return found


def envoy_gateway_plain(place: Place) -> Json:
    policy = one(documents("envoy-gateway", "plain", "extension-policy.yaml"), "EnvoyExtensionPolicy")
    return envoy_gateway(place, policy)


def envoy_gateway_full(place: Place, name: str = BY_PORT, policies: int = 1) -> Json:
    """With this name of the listener, of which so many policies know it."""
    [kustomization] = documents("envoy-gateway", "full", "kustomization.yaml")
    policy = one(documents("envoy-gateway", "plain", "extension-policy.yaml"), "EnvoyExtensionPolicy")
    for change in kustomization["patches"]:
        if change["target"] != {"kind": policy["kind"], "name": policy["metadata"]["name"]}:
            raise Mistake(f"changes {change['target']}")
        for operation in yaml.safe_load(change["patch"]):
            apply(policy, operation["path"], operation["op"], operation["value"])
    bootstrap = envoy_gateway(place, policy, name)
    [listener] = bootstrap["static_resources"]["listeners"]
    files = [file for file in kustomization["resources"] if file.endswith(".yaml")]
    specs = [one(documents("envoy-gateway", "full", file), "EnvoyPatchPolicy")["spec"] for file in files]
    known = [patches for patches in specs if patch_listener(listener, patches)]
    if len(known) != policies:
        raise Mistake(f"expected {policies} policies that know the listener {name}, found {len(known)}")
    return bootstrap


def patch_listener(listener: Json, patches: Json) -> bool:
    """Whether it is the listener of this EnvoyPatchPolicy, which then changes it. Of one that isn't there, the policy's
    status says so, and the other policies hold.
    """
    targets_gateway(patches)
    [target] = {(patch["type"], patch["name"]) for patch in patches["jsonPatches"]}
    if target != (LISTENER, listener["name"]):
        return False
    for patch in patches["jsonPatches"]:
        operation = patch["operation"]
        pointers = list(pointers_to(listener, operation["jsonPath"]))
        if not pointers:
            raise Mistake(f"nothing is at {operation['jsonPath']}")
        for pointer in pointers:
            apply(listener, f"{pointer}/{operation['path']}", operation["op"], operation["value"])
    return True


def envoy_gateway_full_before_1_10(place: Place) -> Json:
    return envoy_gateway_full(place, BY_GATEWAY)


def envoy_gateway_full_without_patch(place: Place) -> Json:
    """The gateway has another port than the policies know."""
    return envoy_gateway_full(place, "tcp-8080", policies=0)


def pointers_to(root: Json, path: str) -> Iterator[str]:
    """JSON pointers to what a JSONPath of the one form that is used here leads to: filters by name, anywhere."""
    form = re.fullmatch(r"\.\.(\w+)\[\?\(@\.name=='([^']+)'\)\]((?:\.\w+)*)", path)
    if form is None:
        raise Mistake(f"{path} is not known here")
    key, name, rest = form.groups()

    def walk(node: Json, at: str) -> Iterator[str]:
        if isinstance(node, dict):
            for index, element in enumerate(node.get(key, [])):
                if element["name"] == name:
                    yield f"{at}/{key}/{index}{rest.replace('.', '/')}"
        pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for step, child in pairs:
            yield from walk(child, f"{at}/{step}")

    return walk(root, "")


def apply(root: Json, pointer: str, operation: str, value: Json) -> None:
    """One operation of JSON Patch (RFC 6902) on an object's member."""
    *way, last = pointer.removeprefix("/").split("/")
    node = root
    for step in way:
        node = node[int(step) if isinstance(node, list) else step]
    if operation not in ("add", "replace") or (operation == "replace" and last not in node):
        raise Mistake(f"can't {operation} {pointer}")
    node[last] = value


# Envoy by itself


def with_file(place: Place, text: str, module: str, backend: tuple[str, int]) -> Json:
    """Envoy with this configuration file, which takes the module from a place and names a backend. Its metrics are at
    the socket `metrics` of the place's directory.
    """
    bootstrap = yaml.safe_load(text)
    [listener, metrics] = bootstrap["static_resources"]["listeners"]
    [cluster, admin] = bootstrap["static_resources"]["clusters"]
    listener["address"] = loopback(place.listener_port)
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    address = endpoint["endpoint"]["address"]["socket_address"]
    if (address["address"], address["port_value"]) != backend:
        raise Mistake(f"expected the backend {backend}, found {address}")
    endpoint["endpoint"]["address"] = loopback(place.backend_port)
    [endpoint] = admin["load_assignment"]["endpoints"][0]["lb_endpoints"]
    if endpoint["endpoint"]["address"] != bootstrap["admin"]["address"]:
        raise Mistake("the metrics aren't those of the admin interface")
    # Their ports are some for a whole machine.
    metrics["address"] = {"pipe": {"path": str(place.directory / "metrics")}}
    bootstrap["admin"]["address"] = endpoint["endpoint"]["address"] = {"pipe": {"path": str(place.directory / "admin")}}
    chain = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    [wasm] = [element for element in chain if element["typed_config"]["@type"] == WASM]
    local = wasm["typed_config"]["config"]["vm_config"]["code"]["local"]
    if local["filename"] != module:
        raise Mistake(f"the module is at {module}, but Envoy is told {local['filename']}")
    local["filename"] = str(place.module)
    return bootstrap


def told_file(command: list[str]) -> str:
    return command[command.index("--config-path") + 1]


def kubernetes(place: Place) -> Json:
    [kustomization] = documents("kubernetes", "kustomization.yaml")
    deployment = one(documents("kubernetes", "gateway.yaml"), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    scraped = {"name": "metrics", "containerPort": int(annotations["prometheus.io/port"])}
    if scraped not in container["ports"]:
        raise Mistake(f"Prometheus scrapes a port that the pod doesn't name: {scraped}")
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    folder, file = told_file(container["command"]).rsplit("/", 1)
    [generator] = kustomization["configMapGenerator"]
    if mounted[folder]["configMap"]["name"] != generator["name"] or file not in generator["files"]:
        raise Mistake(f"{folder}/{file} is not there")
    [image] = [path for path, volume in mounted.items() if volume.get("image", {}).get("reference") == IMAGE]
    service = one(documents("bookstore", "bookstore.yaml"), "Service")
    backend = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    return with_file(place, DEPLOY.joinpath("kubernetes", file).read_text(), f"{image}/plugin.wasm", backend)


def compose(place: Place) -> Json:
    [document] = documents("compose", "compose.yaml")
    gateway = document["services"]["gateway"]
    mounts = {inside: outside for outside, inside, *_ in (volume.split(":") for volume in gateway["volumes"])}
    text = DEPLOY.joinpath("compose", mounts[told_file(gateway["command"])]).read_text()
    copy = rf"^COPY --from={re.escape(IMAGE)} /plugin.wasm (\S+)$"
    copied = re.search(copy, gateway["build"]["dockerfile_inline"], re.MULTILINE)
    if copied is None:
        raise Mistake(f"nothing is copied from {IMAGE}")
    if gateway["ports"] != ["127.0.0.1:8080:8080"] or "port_value: 8080" not in text:
        raise Mistake("not the port on which Envoy listens")
    bookstore = document["services"]["bookstore"]["build"]
    if not DEPLOY.joinpath("compose", bookstore["context"], bookstore["dockerfile"]).exists():
        raise Mistake(f"there is no {bookstore['dockerfile']}")
    return with_file(place, text, copied[1], ("bookstore", 50051))


PLATFORMS: dict[str, Callable[[Place], Json]] = {
    "istio-envoyfilter": istio_envoyfilter,
    "istio-envoyfilter-without-image": istio_envoyfilter_without_image,
    "istio-wasmplugin": istio_wasmplugin,
    "istio-trafficextension": istio_trafficextension,
    "envoy-gateway-plain": envoy_gateway_plain,
    "envoy-gateway-full": envoy_gateway_full,
    "envoy-gateway-full-before-1.10": envoy_gateway_full_before_1_10,
    "envoy-gateway-full-without-patch": envoy_gateway_full_without_patch,
    "kubernetes": kubernetes,
    "compose": compose,
}


if __name__ == "__main__":
    sys.exit(main())
