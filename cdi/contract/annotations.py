"""Annotations and labels of claims, volumes and workers. Keys are the contract's, ``OWN_`` ones are ours."""

from __future__ import annotations

C = "cdi.kubevirt.io/"
S = "cdi.kubevirt.io/storage."

# What a worker does: set by users on plain claims, by us on the others.
SOURCE = S + "import.source"
ENDPOINT = S + "import.endpoint"
SECRET = S + "import.secretName"
CERT_CONFIG_MAP = S + "import.certConfigMap"
CHECKSUM = S + "import.checksum"
INSECURE = S + "import.insecureSkipVerify"
EXTRA_HEADERS = S + "import.extraHeaders."
SECRET_EXTRA_HEADERS = S + "import.secretExtraHeaders."
CONTENT_TYPE = S + "contentType"
PREALLOCATION_REQUESTED = S + "preallocation.requested"
UPLOAD_TARGET = S + "upload.target"
CLONE_REQUEST = "k8s.io/CloneRequest"
CLONE_OF = "k8s.io/CloneOf"  # "true": the request was fulfilled
CLONE_PHASE = C + "clonePhase"
RETAIN = S + "pod.retainAfterCompletion"
IMMEDIATE = S + "bind.immediate.requested"
PRIORITY_CLASS = S + "pod.priorityclassname"
SERVICE_ACCOUNT = S + "pod.serviceAccountName"

# What became of it: outputs.
POD_PHASE = S + "pod.phase"
POD_READY = S + "pod.ready"
POD_RESTARTS = S + "pod.restarts"
POD_SCHEDULABLE = S + "pod.schedulable"
POD_NAME = S + "import.importPodName"
UPLOAD_POD_NAME = S + "uploadPodName"
UPLOAD_CLIENT_NAME = C + "uploadClientName"
SOURCE_POD_NAME = S + "sourceClonePodName"
POD_NAMES = (POD_NAME, UPLOAD_POD_NAME, SOURCE_POD_NAME)
RUNNING = S + "condition.running"
RUNNING_REASON = RUNNING + ".reason"
RUNNING_MESSAGE = RUNNING + ".message"
SOURCE_RUNNING = S + "condition.source.running"
SOURCE_RUNNING_REASON = SOURCE_RUNNING + ".reason"
SOURCE_RUNNING_MESSAGE = SOURCE_RUNNING + ".message"
BOUND = S + "condition.bound"
BOUND_REASON = BOUND + ".reason"
BOUND_MESSAGE = BOUND + ".message"
REQUIRES_SCRATCH = S + "import.requiresScratch"
FATAL = S + "import.fatalError"
PREALLOCATION = S + "preallocation"
CHECKPOINT_CURRENT = S + "checkpoint.current"
CHECKPOINT_DONE = S + "checkpoint.done"
PROGRESS = S + "populator.progress"
PRIME = S + "populator.pvcPrime"

# Between a DataVolume, its claim and other populators.
USE_POPULATOR = S + "usePopulator"
POPULATOR_KIND = S + "populator.kind"
POPULATED_FOR = S + "populatedFor"
PRE_POPULATED = S + "prePopulated"
CLONE_TOKEN = S + "clone.token"
EXTENDED_CLONE_TOKEN = S + "extended.clone.token"
CHECK_STATIC = S + "checkStaticVolume"
VOLUME_LIST = S + "persistentVolumeList"
ADOPTION = C + "allowClaimAdoption"
CREATED_FOR = C + "createdForDataVolume"
DATA_SOURCE_NAMESPACE = C + "dataSourceNamespace"
CLONE_TYPE = C + "cloneType"
CLONE_FALLBACK = C + "cloneFallbackReason"
SOURCE_FINALIZER = C + "cloneSource"  # on a claim that is copied into, until the pod that reads its source is gone
CLONE_FINALIZER = C + "clonePopulator"  # on the target, until what was made to clone into it is gone
CLONE_ERROR = C + "cloneError"
PERMISSIVE_CLONE = C + "permissiveClone"
OWNED_BY_VOLUME = C + "ownedByDataVolume"  # namespace/name, where no owner reference can say so
VIRTUAL_SIZE = "cdi.Kubervirt.io/virtualSize"  # on the claim that is cloned, spelled as the contract has it
SOURCE_CAPACITY = "cdi.Kubervirt.io/sourceCapacity"
SOURCE_VOLUME_MODE = S + "import.sourceVolumeMode"  # on a snapshot that a DataImportCron keeps
EVENTS_SOURCE_KIND = C + "events.source.kind"  # on temporary claims: of whom they work for
EVENTS_SOURCE = C + "events.source"  # namespace/name of that
EXTERNAL = C + "externalPopulation"
OWNER_UID = C + "ownerUID"
CREATED_BY = S + "createdByController"
CREATED_BY_UPLOAD = S + "createdByUploadController"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
MIGRATED_TO = "pv.kubernetes.io/migrated-to"

# Handed on to worker pods and PVC'; the defaults keep meshes out of pods that must end.
MESH_DEFAULTS = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}
PASSED_ON = (
    "k8s.v1.cni.cncf.io/networks",
    "v1.multus-cni.io/default-network",
    *MESH_DEFAULTS,
    PRIORITY_CLASS,
    SERVICE_ACCOUNT,
)

# Ours. What to do about a permanent fault: Retry (the default) or Fail, on a DataVolume or a plain claim.
OWN_FAILURE_POLICY = C + "failurePolicy"
OWN_TARGET = S + "import.target"  # on pods and scratch claims: the claim that is populated in the end
OWN_DIGEST = S + "import.parametersDigest"  # on pods, and on claims whose import failed: of what was tried
OWN_WORKER = S + "import.workerUID"  # of the pod that we made: anybody may make one of its name, digest and owner
OWN_NEXT_ATTEMPT = S + "import.nextAttempt"  # RFC 3339, while the kubelet waits before it starts the worker again
OWN_HISTORY = S + "import.history"  # the last attempts: a JSON list of start, end, outcome, node, bytesDone
OWN_PROVENANCE = S + "import.provenance"  # which version of the source it is: JSON of etag, lastModified, verified
OWN_DURABLE = S + "import.durable"  # what of a device is written for good, for a pod that has to go on with it
OWN_CLONE_REQUIRE = C + "cloneRequire"  # offload: the storage does it, or nobody; set by users
OWN_CLONE_PLAN = C + "storage.clone.plan"  # on the claim: how it is cloned, and why not otherwise: JSON of status.clone
OWN_CLONE_MARK = C + "storage.clone.mark"  # on a claim, and on what was made to clone into it: drawn by chance
OWN_ADDRESS = C + "storage.clone.address"  # on a source pod: to which address it sends
OWN_CLONE_NAMESPACE = C + "storage.clone.namespace"  # where the pod is that reads, whatever the request says later
OWN_COPY = C + "storage.clone.copied"  # on a temporary claim: the name of the claim that a pod copies into it
OWN_RETAINED = S + "populator.retained"  # on a PVC' that is kept: its event was written

# Labels.
APP = {"app": "containerized-data-importer"}
COMPONENT = C.rstrip("/")
UPLOAD_SERVER = "cdi-upload-server"  # the component of upload servers and their services
UPLOAD_TARGET_LABEL = C + "uploadTarget"  # on the pod: the uid of the claim that it fills
OWNED_BY_UID = C + "OwnedByUID"  # on what works for a claim in other namespaces too; anybody may write it
CLONE_SOURCE = "cdi-clone-source"  # the component of pods that read the source of a clone
CLONE_UNIQUE = C + "storage.clone.cloneUniqeId"  # spelled as the contract has it
CLONE_SOURCE_UID = C + "hostAssistedSourcePodCloneSource"
PROMETHEUS = {"prometheus.cdi.kubevirt.io": "true"}
NO_BACKUP = {"velero.io/exclude-from-backup": "true"}
NO_FILLING_ALERT = {"alerts.k8s.io/KubePersistentVolumeFillingUp": "disabled"}
APPLY_PROFILE = C + "applyStorageProfile"


def passed_on(annotations: dict[str, str]) -> dict[str, str]:
    """What a worker pod or PVC' takes over from the claim it works for."""
    return MESH_DEFAULTS | {key: annotations[key] for key in PASSED_ON if key in annotations}


def count(text: str) -> int:
    """A count in an annotation, which anybody can write; 0 for what is none, or what no status could hold."""
    return int(text) if len(text) < 10 and text.isascii() and text.isdecimal() else 0


def count_of_bytes(text: str) -> int:
    """A size in decimal that anybody may have written; 0 for what is none, or more than any volume has."""
    return int(text) if len(text) <= 18 and text.isascii() and text.isdecimal() else 0
