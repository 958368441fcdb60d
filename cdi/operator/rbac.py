"""Who may do what: service accounts, and for each of them one ClusterRole and one Role. The contract's matrix.

What goes beyond the contract's matrix has a comment that says which of our ways of working needs it.
"""

from __future__ import annotations

from cdi.api.admission import API_SERVICE, MUTATING, RENDERING, VALIDATING
from cdi.api.crd import Manifest
from cdi.operator.installation import Installation, metadata
from cdi.trust import chains

_API = "rbac.authorization.k8s.io/v1"
_READ = ("get", "list", "watch")
_CDI = "cdi.kubevirt.io"
_FORKLIFT = "forklift.cdi.kubevirt.io"
_SNAPSHOTS = "snapshot.storage.k8s.io"

CONTROLLER = "cdi-sa"
APISERVER = "cdi-apiserver"
UPLOADPROXY = "cdi-uploadproxy"
CRONJOB = "cdi-cronjob"
METRICS_READER = "cdi-metrics-reader"
MONITORING = "cdi-monitoring"
_PROMETHEUS = "prometheus-k8s"  # the account of who scrapes, where monitoring is installed
ACCOUNTS = (CONTROLLER, APISERVER, UPLOADPROXY, CRONJOB, METRICS_READER)

# Certificates and their authorities, and the last segment of the path by which API servers come: made and renewed by
# cdi-apiserver.
_CHAINS = (chains.APISERVER, chains.UPLOAD_PROXY, chains.UPLOAD_SERVER, chains.UPLOAD_CLIENT)
_RENEWED_SECRETS = (*(name for chain in _CHAINS for name in chain.secrets), "cdi-apiserver-entrance")
_RENEWED_BUNDLES = tuple(chain.bundle for chain in _CHAINS)
_LASTING = tuple(name for name in MUTATING if name != RENDERING)


def rule(group: str, resources: str, *verbs: str, names: tuple[str, ...] = ()) -> Manifest:
    """``resources``: separated by spaces."""
    made: Manifest = {"apiGroups": [group], "resources": resources.split(), "verbs": list(verbs)}
    return made | ({"resourceNames": list(names)} if names else {})


def _paths(*paths: str) -> Manifest:
    return {"nonResourceURLs": list(paths), "verbs": ["get"]}


_POPULATORS = "ovirtvolumepopulators openstackvolumepopulators"
_OWNED = "datavolumes dataimportcrons datasources volumeimportsources volumeuploadsources volumeclonesources"
_SEEN = (
    "cdiconfigs dataimportcrons datasources datavolumes objecttransfers storageprofiles"
    " volumeimportsources volumeuploadsources volumeclonesources"
)

# Rules and resources of admin, edit and view stay in this order: the contract's tests look for them as elements.
_EDITING = (
    rule(_CDI, _OWNED, "*"),
    rule(_CDI, "datavolumes/source", "create"),
    rule("upload.cdi.kubevirt.io", "uploadtokenrequests", "*"),
    rule(_FORKLIFT, _POPULATORS, "*"),
)
_VIEWING = (rule(_CDI, _SEEN, *_READ), rule(_FORKLIFT, _POPULATORS, *_READ))

_CONTROLLER_CLUSTER = (
    rule("", "events", "create", "patch", *_READ),
    rule("", "persistentvolumeclaims", *_READ, "create", "update", "delete", "deletecollection", "patch"),
    rule("", "persistentvolumes", *_READ, "update"),
    rule("", "persistentvolumeclaims/finalizers pods/finalizers", "update"),
    rule("", "pods services", *_READ, "create", "delete"),
    rule("", "pods/log", "get"),  # progress of workers goes over their logs
    rule("", "namespaces", *_READ),
    rule("", "resourcequotas", *_READ),  # what a quota refused is asked for again when the quota has room
    rule("", "configmaps", "get", "create"),
    rule("", "secrets", "create"),
    rule("storage.k8s.io", "storageclasses csidrivers", *_READ),
    rule("scheduling.k8s.io", "priorityclasses", *_READ),
    rule("image.openshift.io", "imagestreams", *_READ),
    rule("apiextensions.k8s.io", "customresourcedefinitions", *_READ),
    rule("config.openshift.io", "proxies infrastructures", *_READ),
    rule("config.openshift.io", "clusterversions", "get"),
    rule(_CDI, "*", "*"),
    rule(_FORKLIFT, "*", "*"),
    rule(_SNAPSHOTS, "volumesnapshots", *_READ, "create", "delete", "update", "deletecollection"),
    rule(_SNAPSHOTS, "volumesnapshotclasses volumesnapshotcontents", *_READ, "create", "delete"),
    rule("kubevirt.io", "virtualmachines/finalizers", "update"),
    rule("populator.storage.k8s.io", "volumepopulators", "create"),  # as there is no operator yet
    rule("authentication.k8s.io", "tokenreviews", "create"),
    rule("authorization.k8s.io", "subjectaccessreviews", "create"),
)
_CONTROLLER_HERE = (
    rule("", "configmaps", *_READ, "create", "update", "delete"),
    rule("", "secrets", *_READ),
    rule("batch", "cronjobs", *_READ, "create", "update", "deletecollection"),
    rule("batch", "jobs", "create", "deletecollection", "list", "watch"),
    # "patch" is ours: every write is one, with the version that it changes.
    rule("coordination.k8s.io", "leases", "get", "create", "update", "patch"),
    rule("networking.k8s.io", "ingresses", *_READ),
    rule("route.openshift.io", "routes", *_READ),
)
_APISERVER_CLUSTER = (
    rule("authorization.k8s.io", "subjectaccessreviews", "create"),
    rule("", "configmaps persistentvolumeclaims persistentvolumes", *_READ),
    rule("storage.k8s.io", "storageclasses", *_READ),
    rule(_SNAPSHOTS, "volumesnapshots", *_READ),
    rule("", "namespaces", "get"),
    rule(_CDI, "datavolumes", "list", "get"),
    rule(_CDI, "datasources", "get"),
    rule(_CDI, "volumeclonesources storageprofiles cdis cdiconfigs", *_READ),
    rule(_CDI, "cdis/finalizers", "update"),
    # It puts its own certificate authority into the webhook configurations, as there is no operator yet.
    # "list" and "watch", of this one name: manifests that are applied again lead past its last segment.
    rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", *_READ, "patch", names=_LASTING),
    rule("admissionregistration.k8s.io", "validatingwebhookconfigurations", "get", "patch", names=VALIDATING),
    rule("apiregistration.k8s.io", "apiservices", "get", "patch", names=(API_SERVICE,)),  # the same
    # This one goes and comes with webhookPvcRendering. "create" counts by name for server-side apply alone.
    rule(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        *("get", "patch", "create", "delete"),
        names=(RENDERING,),
    ),
)
_APISERVER_HERE = (
    rule("", "secrets configmaps", *_READ, "create"),
    rule("", "secrets", "update", "patch", names=_RENEWED_SECRETS),
    rule("", "configmaps", "update", "patch", names=_RENEWED_BUNDLES),
)
_UPLOADPROXY_CLUSTER = (rule("", "persistentvolumeclaims", "get"),)
_UPLOADPROXY_HERE = (rule("", "configmaps", "get"),)
_CRONJOB_CLUSTER = (rule(_CDI, "dataimportcrons", "get", "list", "update", "patch"),)


def rbac(installation: Installation) -> list[Manifest]:
    """Accounts, roles and bindings, and the one token that is kept."""
    here = installation.namespace
    return [
        *(_account(name, here) for name in ACCOUNTS),
        *_for_users(),
        *_clusterwide("cdi", _CONTROLLER_CLUSTER, CONTROLLER, here),
        *_clusterwide("cdi-apiserver", _APISERVER_CLUSTER, APISERVER, here),
        *_clusterwide("cdi-uploadproxy", _UPLOADPROXY_CLUSTER, UPLOADPROXY, here),
        *_clusterwide("cdi-cronjob", _CRONJOB_CLUSTER, CRONJOB, here),
        *_clusterwide(METRICS_READER, (_paths("/metrics"),), METRICS_READER, here),
        _token(METRICS_READER, here),
        _role("ClusterRole", "cdi-pprof-reader", (_paths("/debug/pprof", "/debug/pprof/*"),)),
        *_local("cdi-deployment", _CONTROLLER_HERE, CONTROLLER, here),
        *_local("cdi-apiserver", _APISERVER_HERE, APISERVER, here),
        *_local("cdi-uploadproxy", _UPLOADPROXY_HERE, UPLOADPROXY, here),
        _role("Role", MONITORING, (rule("", "services endpoints pods", *_READ),), here),
        _binding("Role", MONITORING, [_subject(_PROMETHEUS, installation.monitoring)], here),
    ]


def _for_users() -> list[Manifest]:
    reader = "cdi.kubevirt.io:config-reader"
    groups = [_group("system:authenticated"), _group("system:serviceaccount")]
    return [
        _aggregated("admin", _EDITING),
        _aggregated("edit", _EDITING),
        _aggregated("view", _VIEWING),
        _role("ClusterRole", "cdi.kubevirt.io:clone-sourcer", (rule(_CDI, "datavolumes/source", "create"),)),
        _role("ClusterRole", reader, (rule(_CDI, "cdiconfigs storageprofiles", *_READ),)),
        _binding("ClusterRole", reader, groups),
    ]


def _aggregated(name: str, rules: tuple[Manifest, ...]) -> Manifest:
    made = _role("ClusterRole", f"cdi.kubevirt.io:{name}", rules)
    made["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{name}"] = "true"
    return made


def _clusterwide(name: str, rules: tuple[Manifest, ...], account: str, namespace: str) -> list[Manifest]:
    return [
        _role("ClusterRole", name, rules),
        _binding("ClusterRole", name, [_subject(account, namespace)], called=account),
    ]


def _local(name: str, rules: tuple[Manifest, ...], account: str, namespace: str) -> list[Manifest]:
    return [
        _role("Role", name, rules, namespace),
        _binding("Role", name, [_subject(account, namespace)], namespace),
    ]


def _account(name: str, namespace: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name, namespace)}


def _token(account: str, namespace: str) -> Manifest:
    """A Secret that Kubernetes fills: for monitoring systems, which read a bearer token from one."""
    named = metadata(f"{account}-token", namespace)
    named["annotations"] = {"kubernetes.io/service-account.name": account}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": named, "type": "kubernetes.io/service-account-token"}


def _role(kind: str, name: str, rules: tuple[Manifest, ...], namespace: str = "") -> Manifest:
    return {"apiVersion": _API, "kind": kind, "metadata": metadata(name, namespace), "rules": list(rules)}


def _binding(kind: str, role: str, subjects: list[Manifest], namespace: str = "", called: str = "") -> Manifest:
    return {
        "apiVersion": _API,
        "kind": f"{kind}Binding",
        "metadata": metadata(called or role, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": subjects,
    }


def _subject(account: str, namespace: str) -> Manifest:
    return {"kind": "ServiceAccount", "name": account, "namespace": namespace}


def _group(name: str) -> Manifest:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}
