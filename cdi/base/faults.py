"""The closed catalogue of everything that can go wrong for a user, and the one exception that carries it.

A ``Fault`` is raised with a code of the catalogue and the values its sentences need. Its text is always
``[contract phrase ][Code] what happened, with values. what it means. Try: remedy``: clients of the Go CDI match
on the contract phrase, so it comes first. ``docs/errors.md`` is generated from ``CATALOGUE``
(``python -m cdi.base.faults``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from string import Formatter

from cdi.base.printable import one_line
from cdi.base.sources import imported, listed, urls

_IMPORTED = [source.name for source in imported()]


class Exit(IntEnum):
    """Exit codes of the ``cdi`` command."""

    OK = 0
    DEFECT = 1  # of this program
    USAGE = 2
    SOURCE = 3  # permanent fault of the source
    TRANSIENT = 4  # the source may recover
    STORAGE = 5
    INTEGRITY = 6
    RIGHTS = 7  # rights or quota
    CANCELLED = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of fault. ``what``, ``means`` and ``remedy`` are ``str.format`` templates over the fault's values."""

    permanent: bool
    exit: Exit
    what: str
    means: str
    remedy: str

    def fields(self) -> set[str]:
        texts = (self.what, self.means, self.remedy)
        return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}


class Fault(Exception):
    """Something a user must know: a code of the catalogue with its values.

    Permanent faults need a person; transient ones are worth another attempt. ``contract`` is a phrase that clients
    of the Go CDI match on; it is put first.
    """

    def __init__(self, code: str, *, contract: str = "", **values: object) -> None:
        self.code = code
        self.entry = CATALOGUE[code]
        missing = self.entry.fields() - values.keys()
        if missing:
            raise TypeError(f"fault {code} lacks the values {sorted(missing)}")
        self.contract = contract
        self.values = values
        super().__init__(self.message)

    @property
    def permanent(self) -> bool:
        return self.entry.permanent

    @property
    def what(self) -> str:
        return self._told(self.entry.what)

    @property
    def means(self) -> str:
        return self._told(self.entry.means)

    @property
    def remedy(self) -> str:
        return self._told(self.entry.remedy)

    @property
    def message(self) -> str:
        head = f"{_shown(self.contract)} " if self.contract else ""
        return f"{head}[{self.code}] {self.what} {self.means} Try: {self.remedy}"

    def _told(self, template: str) -> str:
        return _shown(template.format(**self.values))

    def told(self, remedy: str) -> str:
        """The message with another remedy, where who reads it can do something else."""
        return self.message.removesuffix(self.remedy) + remedy

    def with_contract(self, contract: str) -> Fault:
        """The same fault under a contract phrase, for instance ``Unable to process data: ``."""
        return Fault(self.code, contract=f"{contract}{self.contract}".strip(), **self.values)


def _shown(text: str) -> str:
    """On one line, and nothing in it acts on a terminal: values are servers' and tenants' words."""
    return one_line(text.replace("\n", " "))


def _permanent(exit: Exit, what: str, means: str, remedy: str) -> Entry:
    return Entry(True, exit, what, means, remedy)


def _transient(what: str, means: str, remedy: str, exit: Exit = Exit.TRANSIENT) -> Entry:
    return Entry(False, exit, what, means, remedy)


CATALOGUE: dict[str, Entry] = {
    # --- source: what the server said -------------------------------------------------------------------------
    "SourceNotFound": _permanent(
        Exit.SOURCE,
        "GET {source} answered {status}.",
        "The file is not there.",
        "correct the URL; a waiting import continues by itself.",
    ),
    "SourceUnauthorized": _permanent(
        Exit.SOURCE,
        "GET {source} answered {status}.",
        "The server wants other credentials than it got.",
        "give the right ones in a secret (secretRef or --secret, keys accessKeyId and secretKey), or with --user or "
        "--header.",
    ),
    "SourceRefused": _permanent(
        Exit.SOURCE,
        "GET {source} answered {status}.",
        "The server refuses this request, and would refuse it again.",
        "open the URL with curl -v from the same network and correct what it complains about.",
    ),
    "SourceUnavailable": _transient(
        "GET {source} answered {status}.",
        "The server is overloaded or failing; this often passes.",
        "wait: the import goes on by itself; if it lasts, look at the server.",
    ),
    "SourceChanged": _permanent(
        Exit.SOURCE,
        "{source} changed during the import: {before} became {after}.",
        "Bytes of two versions would be mixed, so nothing was published.",
        "import again when the file is complete, or point the URL at a versioned file; if several servers behind it "
        "name one file differently, give its checksum, or --connections 1.",
    ),
    "SourceTruncated": _transient(
        "{source} ended after {got} of {expected} bytes.",
        "The server or something on the way cut the answer short.",
        "run the import again: it continues where it can; compare the size with the publisher's.",
    ),
    "SourceTooLong": _permanent(
        Exit.SOURCE,
        "{source} sent more than the {expected} bytes it announced.",
        "Length and content disagree, so the bytes cannot be trusted.",
        "fetch the file with curl and compare its size; correct the server.",
    ),
    "SourceEmpty": _permanent(
        Exit.SOURCE,
        "{source} is empty (0 bytes).",
        "There is no disk image in it.",
        "check that the upload to that place was completed.",
    ),
    "UploadBroken": _permanent(
        Exit.SOURCE,
        "{source} broke off at byte {got}: {cause}.",
        "Its bytes come once and cannot be asked for again, so nothing was published.",
        "send it again from its first byte; if it breaks off again, look at the network between its sender and here.",
    ),
    "UploadStalled": _transient(
        "only {got} bytes came from the client while it was waited for during {seconds} s.",
        "Who sends less than {least} bytes in that time does not hold the place of others.",
        "look at the network between the client and here, and send it again from its first byte.",
        Exit.SOURCE,
    ),
    "UploadMalformed": _permanent(
        Exit.SOURCE,
        "the request is no upload: {cause}.",
        "Its bytes cannot be told from what is around them.",
        "send it with curl -T FILE, or curl -F file=@FILE to an address for forms.",
    ),
    "UploadSessionUnknown": _permanent(
        Exit.USAGE,
        "there is no such upload session.",
        "It has ended, or it never was, or the volume that it was for is gone.",
        "look whether the DataVolume has succeeded; if it has not, open another session with a token.",
    ),
    "UploadSessionsFull": _transient(
        "{count} sessions are open for this volume, and each of them was used within the last {seconds} s.",
        "A volume takes one upload at a time, and a few clients may wait for it.",
        "delete a session that is not needed, or wait until one has been left alone for that long.",
        Exit.USAGE,
    ),
    "UploadOffsetWrong": _permanent(
        Exit.USAGE,
        "the request begins at byte {said}, and the session is at byte {offset}.",
        "What lies between would be missing, or be written twice.",
        "send the file from byte {offset}, which the header Upload-Offset of this answer says too.",
    ),
    "UploadStartsAgain": _permanent(
        Exit.SOURCE,
        "the session is at byte 0 again: {why}.",
        "Only raw files of a known length and sparse streams go on after that.",
        "send the file again from its first byte to the same address.",
    ),
    "UploadChecksumWrong": _permanent(
        Exit.INTEGRITY,
        "the {length} bytes of the request do not have the {algorithm} that it says.",
        "They changed on their way, and none of them count.",
        "send them again from the same offset.",
    ),
    "CloneRefused": _permanent(
        Exit.SOURCE,
        "the upload server {server} answered {status} ({text}).",
        "The target of the clone takes nothing more of this source.",
        "do what the answer says; the log of the server's pod has more.",
    ),
    "CloneTargetUntrusted": _permanent(
        Exit.SOURCE,
        "{server} is not who it should be: {cause}.",
        "Its certificate is of another authority or for another name, so it got nothing of the source.",
        "delete the upload pod and the source pod: those made in their place get new certificates.",
    ),
    "CloneTargetAway": _transient(
        "the upload server {server} has taken nothing for {seconds} s: {cause}.",
        "Its pod is not running, or a NetworkPolicy is between it and the source pod.",
        "look at the pod of the target and at the NetworkPolicies of both namespaces; a new source pod goes on where "
        "this one was.",
    ),
    "SourceStalled": _transient(
        "no bytes from {source} for {seconds} s at {got} bytes.",
        "The connection is open but nothing arrives.",
        "wait: it is tried again; if it lasts, look at the network between here and the server.",
    ),
    "ConnectionLost": _transient(
        "the connection to {source} broke at byte {got}: {cause}.",
        "The network or the server dropped it.",
        "wait: it is tried again from the same byte.",
    ),
    "ConnectionRefused": _transient(
        "cannot connect to {host}: {cause}.",
        "Nothing answers at that address.",
        "check host and port, that the server runs, and that a firewall or NetworkPolicy lets this client through.",
    ),
    "HostUnknown": _transient(
        "the name {host} cannot be resolved: {cause}.",
        "The host name is wrong, or the DNS server does not know it.",
        "correct the host in the URL, or the DNS settings of this machine.",
    ),
    "RangesWithdrawn": _transient(
        "{source} answered a ranged request with {status} ({detail}).",
        "The server gave ranges before and now does not, or gives other bytes than were asked for.",
        "wait: it is tried again; if it lasts, a proxy or mirror on the way breaks ranged requests.",
    ),
    "RedirectLoop": _permanent(
        Exit.SOURCE,
        "{source} redirects more than {limit} times, last to {last}.",
        "The redirects form a loop.",
        "open the URL with curl -vL and use the address it should end at.",
    ),
    "RedirectRefused": _permanent(
        Exit.SOURCE,
        "{source} redirects to {last}.",
        "It is not followed: {cause}.",
        "open the URL with curl -vL and look where it ends; use the http:// URL directly if that is what you want.",
    ),
    "AddressForbidden": _permanent(
        Exit.SOURCE,
        "{host} is at {address}, an address that workers may not import from.",
        "Link-local addresses, and those of the clouds' metadata services, are the node's: they give away its rights.",
        "serve the image at another address, or let an administrator allow a way to it through a proxy (importProxy).",
    ),
    "ProxyRefused": _permanent(
        Exit.SOURCE,
        "the proxy {proxy} answered {status}.",
        "The proxy does not let this request through.",
        "check the proxy's address and its user and password (http_proxy, https_proxy), or add the host to no_proxy.",
    ),
    "ProxyUnusable": _permanent(
        Exit.USAGE,
        "the proxy address {proxy} cannot be used: {cause}.",
        "The variables http_proxy and https_proxy hold http:// or https:// addresses.",
        "correct the variable, for example http://proxy.example.com:3128.",
    ),
    "ContentEncodingUnknown": _permanent(
        Exit.SOURCE,
        "{source} is sent with Content-Encoding {encoding}.",
        "This transport encoding is not understood.",
        "have the server send the file as it is (identity or gzip).",
    ),
    # --- TLS ------------------------------------------------------------------------------------------------------
    "TlsUntrusted": _permanent(
        Exit.SOURCE,
        "the certificate of {host} is not trusted: {cause}.",
        "Its issuer is in none of the trust bundles used ({bundles}).",
        "add the issuing CA (certConfigMap, or --ca FILE).",
    ),
    "TlsExpired": _permanent(
        Exit.SOURCE,
        "the certificate of {host} has expired: {cause}.",
        "The server's certificate must be renewed.",
        "renew it, or correct this machine's clock.",
    ),
    "TlsWrongHost": _permanent(
        Exit.SOURCE,
        "the certificate of {host} is for another name: {cause}.",
        "You may be talking to the wrong server.",
        "use the name that the certificate carries.",
    ),
    "TlsFailed": _permanent(
        Exit.SOURCE,
        "TLS with {host} failed: {cause}.",
        "Client and server do not agree on a protocol, or the port does not speak TLS.",
        "check scheme and port of the URL.",
    ),
    # --- S3 -------------------------------------------------------------------------------------------------------
    "S3Refused": _permanent(
        Exit.SOURCE,
        "S3 refused bucket {bucket}, key {key} (region {region}): {s3code}: {cause}.",
        "Keys, rights or names are wrong.",
        "{advice}check accessKeyId, secretKey and sessionToken of the secret (secretRef or --secret), or AWS_* of "
        "the environment, and the bucket's policy.",
    ),
    "S3NotFound": _permanent(
        Exit.SOURCE,
        "S3 has no bucket {bucket} with key {key} (region {region}): {s3code}.",
        "The object is not there, or the credentials may not list it.",
        "correct bucket and key in the URL.",
    ),
    "S3Unavailable": _transient(
        "S3 did not serve bucket {bucket}, key {key} (region {region}): {s3code}: {cause}.",
        "The service is overloaded or failing.",
        "wait: it is tried again.",
    ),
    "CredentialsMissing": _permanent(
        Exit.USAGE,
        "the credentials lack {missing}.",
        "They cannot be used like this.",
        "put {missing} into the secret.",
    ),
    "S3CredentialsRefused": _permanent(
        Exit.SOURCE,
        "no S3 credentials were given out: {cause}.",
        "The role, the token or the profile that the environment names is not accepted.",
        "check AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_PROFILE, or put a key pair into the secret.",
    ),
    "S3CredentialsUnavailable": _transient(
        "S3 credentials cannot be got: {cause}.",
        "The service that gives them out, or the process that signs with them, did not answer.",
        "wait: it is tried again; if it lasts, look at the network to the identity service and at this machine's load.",
    ),
    # --- the request itself ---------------------------------------------------------------------------------------
    "SourceUrlInvalid": _permanent(
        Exit.USAGE,
        "{source} is not a usable source: {cause}.",
        f"Sources are {', '.join(urls())} URLs and files.",
        "write for example https://host/disk.qcow2, s3://bucket/disk.qcow2 or ./disk.qcow2.",
    ),
    "FileUnreadable": _permanent(
        Exit.SOURCE,
        "cannot read {source}: {cause}.",
        "The file is missing, or this user may not read it.",
        "check path and rights.",
    ),
    "ChecksumInvalid": _permanent(
        Exit.USAGE,
        "Invalid checksum format: {checksum}.",
        "A checksum is algorithm:hex with md5, sha1, sha256 or sha512 and as many digits as the algorithm has.",
        "copy it from the publisher's SHA256SUMS file: sha256:<64 hex digits>.",
    ),
    # --- content --------------------------------------------------------------------------------------------------
    "NotADiskImage": _permanent(
        Exit.SOURCE,
        "the first bytes of {source} are {kind}: {line!r}.",
        "This is a page or document and no disk; of a URL it is probably an error or login page sent with status 200.",
        "look whether it is the right file; open a URL in a browser, and add credentials or correct the address.",
    ),
    "PackingUnsupported": _permanent(
        Exit.SOURCE,
        "{source} is {kind}.",
        "There may be a disk image in it, but it is none.",
        "{advice}; disk images may be packed with gzip, zstd or xz.",
    ),
    "ImageTruncated": _permanent(
        Exit.INTEGRITY,
        "the {format} image ends at byte {size}, but refers to byte {needed}.",
        "The file is incomplete.",
        "upload it to the server again and compare checksums.",
    ),
    "ImageInvalid": _permanent(
        Exit.INTEGRITY,
        "the {format} image is damaged or not made by a sane tool: {detail}.",
        "It was refused before anything was published.",
        "check it with qemu-img check, and make it again with qemu-img convert.",
    ),
    "ImageUnsupported": _permanent(
        Exit.SOURCE,
        "the {format} image uses {feature}.",
        "That cannot be imported.",
        "convert it: qemu-img convert -O qcow2 IN OUT.",
    ),
    "ImageHasBackingFile": _permanent(
        Exit.SOURCE,
        "the {format} image needs the backing file {reference!r}.",
        "Images that refer to other files are refused: they could read files of this machine.",
        "flatten it: qemu-img convert -O qcow2 IN OUT.",
    ),
    "ImageHasExternalData": _permanent(
        Exit.SOURCE,
        "the {format} image keeps its data in another file ({reference!r}).",
        "Images that refer to other files are refused: they could read files of this machine.",
        "put everything into one file: qemu-img convert -O qcow2 IN OUT.",
    ),
    "ImageEncrypted": _permanent(
        Exit.SOURCE,
        "the {format} image is encrypted ({method}).",
        "A volume holds the plain disk, and no key was given.",
        "decrypt it with qemu-img convert.",
    ),
    "ImageMarkedCorrupt": _permanent(
        Exit.INTEGRITY,
        "the {format} image carries the corrupt mark.",
        "A tool found it damaged.",
        "repair it: qemu-img check -r all IMAGE.",
    ),
    "ImageTableTooBig": _permanent(
        Exit.INTEGRITY,
        "{table} of the {format} image: {detail}.",
        "No sane tool writes this; reading it would take all memory.",
        "make the image again with qemu-img convert.",
    ),
    "ImageTableOutside": _permanent(
        Exit.INTEGRITY,
        "{table} of the {format} image lies at {offset}, outside the file or over its header.",
        "The image is damaged or hostile.",
        "check it with qemu-img check.",
    ),
    "ImageClusterShared": _permanent(
        Exit.INTEGRITY,
        "the {format} image maps {mapped} bytes of disk to {size} bytes of file.",
        "Blocks are used more than once: the image is damaged, or made to fill the volume.",
        "check it with qemu-img check.",
    ),
    "ImageSizeAbsurd": _permanent(
        Exit.INTEGRITY,
        "the {format} image claims a virtual size of {virtual} bytes.",
        "That cannot be a disk of this format.",
        "check it with qemu-img info.",
    ),
    "CompressedTruncated": _permanent(
        Exit.INTEGRITY,
        "the {format} data ends in the middle, after {got} bytes.",
        "The file is incomplete.",
        "upload it to the server again and compare checksums.",
    ),
    "CompressedDamaged": _permanent(
        Exit.INTEGRITY,
        "the {format} data cannot be decompressed at byte {got}: {cause}.",
        "The file is damaged.",
        "upload it to the server again and compare checksums.",
    ),
    "CompressedTrailing": _permanent(
        Exit.INTEGRITY,
        "after the {format} data, at byte {got}, other bytes follow.",
        "The file is damaged, or two files were joined.",
        "compress the image again.",
    ),
    "DecompressionBomb": _permanent(
        Exit.INTEGRITY,
        "{source} unpacks to more than {limit} bytes out of {taken}.",
        "A disk with anything on it does not pack so well: this file is made to fill the volume.",
        "get the image from whom you trust; if it really is this empty, import it unpacked, or as qcow2.",
    ),
    "MemoryLimit": _permanent(
        Exit.INTEGRITY,
        "unpacking the {format} data needs {needed} bytes of memory; {limit} are allowed.",
        "The file was packed with an extreme window, or is hostile.",
        "pack it with a normal level (xz -6, zstd -19 without --long).",
    ),
    "ChecksumMismatch": _permanent(
        Exit.INTEGRITY,
        "expected {algorithm}:{expected}, calculated {algorithm}:{calculated}.",
        "The bytes are not the published ones; nothing usable was left.",
        "check the published checksum and the URL; if they are right, the file was changed on the way.",
    ),
    "ArchiveUnsafe": _permanent(
        Exit.SOURCE,
        "the archive's entry {entry!r} {detail}.",
        "Unpacking it could reach what is outside the volume.",
        "make the archive again without it, of a directory: tar -cf x.tar -C DIR .",
    ),
    "ArchiveInvalid": _permanent(
        Exit.INTEGRITY,
        "the archive cannot be unpacked: {detail}.",
        "It is no tar archive, or damaged.",
        "test it with tar -tvf.",
    ),
    # --- target ---------------------------------------------------------------------------------------------------
    "TargetTooSmall": _permanent(
        Exit.STORAGE,
        "the image needs {needed} bytes, the target offers {available} bytes{overhead}.",
        "The disk does not fit.",
        "ask for {suggested} or more (a DataVolume has to be made again for that).",
    ),
    "TargetOutgrown": _permanent(
        Exit.STORAGE,
        "{source} holds more than the {limit} bytes that the target offers.",
        "The disk does not fit; how large it is shows only at its end.",
        "ask for a larger size.",
    ),
    "NoSpace": _permanent(
        Exit.STORAGE,
        "{target} is full: writing at byte {offset} failed ({cause}).",
        "The volume or its quota has no room for the image.",
        "make room or use a larger volume, and run the same command again: it continues where it can.",
    ),
    "TargetDenied": _permanent(
        Exit.RIGHTS,
        "cannot write {target}: {cause} (uid {uid}, gid {gid}).",
        "This user may not write there.",
        "check owner and mode; for a volume fsGroup 107 must be honoured (root-squash?).",
    ),
    "TargetReadOnly": _permanent(
        Exit.STORAGE,
        "{target} is read-only.",
        "Its file system, or the device itself, takes no writes.",
        "mount the file system or attach the device writable.",
    ),
    "TargetMissing": _permanent(
        Exit.STORAGE,
        "{target} does not exist: {cause}.",
        "There is no place to write to.",
        "create its directory first.",
    ),
    "ScratchRequired": _transient(
        "The image cannot be written to the device while it arrives, and the pod has no scratch volume.",
        "It has to be kept whole somewhere before it is written.",
        "nothing: the pod is replaced by one with a scratch volume. A server with ranges needs none.",
        Exit.STORAGE,
    ),
    "TargetBusy": _permanent(
        Exit.STORAGE,
        "{target} is in use: {cause}.",
        "Another import or program holds it.",
        "wait for the other one to end, or choose another target.",
    ),
    "TargetExists": _permanent(
        Exit.STORAGE,
        "{target} exists already.",
        "It would be overwritten.",
        "remove it first, name another target, or repeat with --overwrite.",
    ),
    "TargetForeign": _permanent(
        Exit.STORAGE,
        "{name} is {kind}, and nothing that an import has left.",
        "The name is needed while the disk is made. What is not ours is neither written nor removed.",
        "rename or remove it if nobody needs it, or name another target.",
    ),
    "TargetIsSource": _permanent(
        Exit.USAGE,
        "{source} cannot become {target}: they are the same bytes, or one is a part of the other.",
        "Making the disk would destroy what it is made from. While x is made, x.part and x.journal are written too.",
        "name another target, or rename the source.",
    ),
    "DirectoryNotEmpty": _permanent(
        Exit.STORAGE,
        "{target} is not empty: it holds {name}.",
        "What an archive that turns out to be damaged has left could not be removed from among other files.",
        "name an empty directory; with --overwrite it is unpacked over them, and stays when it is damaged.",
    ),
    "StateUnsafe": _permanent(
        Exit.STORAGE,
        "{directory} belongs to somebody else, or others may write there.",
        "The journal of an import is kept in it and believed: it could name bytes that were never written.",
        "remove it, or name a directory of your own with --state.",
    ),
    "TargetUnclear": _permanent(
        Exit.USAGE,
        "{target!r} is neither a path nor an object.",
        "A target is a path (it contains / or exists), or an object dv/NAME or dv/NAMESPACE/NAME.",
        "write ./{target} for a file, or dv/{target} for a DataVolume.",
    ),
    "TargetFailed": _permanent(
        Exit.STORAGE,
        "writing {target} at byte {offset} failed: {cause}.",
        "The storage reports an error.",
        "look at the kernel log (dmesg) of the node and at the storage.",
    ),
    "Cancelled": _transient(
        "stopped on request after {got} bytes.",
        "What is written is kept.",
        "the same command continues.",
        exit=Exit.CANCELLED,
    ),
    "CancelledUnkept": _transient(
        "stopped on request after {got} bytes.",
        "This import cannot be continued: nothing is kept.",
        "the same command starts from the first byte; a server with ranges and ETags lets it continue.",
        exit=Exit.CANCELLED,
    ),
    # --- workers of a cluster, seen from outside; three have the contract's reasons as codes ------------------------
    "WorkerOutOfMemory": _transient(
        "the worker needed more than the {limit} of memory that it may have.",
        "It works in bounded memory: the limit is below that.",
        "raise limits.memory of podResourceRequirements in the CDI object's spec.config; the import goes on by itself.",
    ),
    "WorkerEvicted": _transient(
        "the node {node} evicted the worker: {cause}.",
        "The node is short of something, or is being emptied.",
        "free it, or give workers another place (spec.workload of the CDI object); the next one starts by itself.",
    ),
    "ImagePullFailed": _transient(
        "the node has no image {image} for the worker, and cannot get it.",
        "No worker starts without it.",
        "look at cdi why, then check the image's name (IMPORTER_IMAGE of deployment cdi-deployment), its registry and "
        "imagePullSecrets.",
    ),
    "ErrStartingPod": _transient(
        "the cluster does not let the pod start: {cause}.",
        "A policy or a webhook forbids it.",
        "change what it names, or ask who runs the cluster; it is tried again by itself.",
        exit=Exit.RIGHTS,
    ),
    "ErrExceededQuota": _transient(
        "it does not fit into the quota: {cause}.",
        "The namespace has used what it may have.",
        "delete what is not needed, or ask for a larger quota; it goes on by itself.",
        exit=Exit.RIGHTS,
    ),
    # --- manifests (cdi run) --------------------------------------------------------------------------------------
    "ManifestInvalid": _permanent(
        Exit.USAGE,
        "{where}: {detail}.",
        "The manifest cannot be used.",
        "correct that field; kubectl explain datavolume.spec shows them all.",
    ),
    "ObjectNotFound": _permanent(
        Exit.USAGE,
        "there is no DataVolume {name}{hint}.",
        "It was never made here, or its name is different.",
        "list them with cdi get dv -A, and check --namespace, and where this command acts: its first line says it.",
    ),
    "DiskIncomplete": _transient(
        "bytes {start} to {end} of the disk were not written.",
        "This is a bug of the importer, noticed before anything was published.",
        "nothing now: the next attempt writes what is missing. Please report it with the kind of source and its size.",
    ),
    "CommandDefect": _permanent(
        Exit.DEFECT,
        "cdi ran into a defect of its own: {error}.",
        "That is not your input's fault; {report}.",
        "the same command once more; if it fails again, please report it with that traceback and the command.",
    ),
    "ImporterDefect": _transient(
        "the importer ran into a defect of its own: {error}.",
        "That is not the image's fault, nor yours; the worker's log has the details.",
        "nothing now, it is tried again; please report it with the log.",
    ),
    "WorkerKilled": _transient(
        "the worker ended with exit code {status} and left no message.",
        "Something killed it, or it ran into a bug.",
        "nothing now: it is started again, and goes on from what is written; if it lasts, look at the worker's log "
        "(cdi why) and at the node's.",
    ),
    "WorkerCannotStart": _transient(
        "the node cannot start the worker: {cause}.",
        "It is tried again and again.",
        "make what is missing (a Secret or ConfigMap that the source names?), or correct its name in the source; "
        "it goes on by itself.",
    ),
    "ErrClaimNotValid": _transient(
        "no claim can be made of it.",
        "Without one there is no volume.",
        "say accessModes in a new DataVolume, or complete the StorageProfile of its class; then it goes on by itself.",
    ),
    "NotActedOn": _permanent(
        Exit.USAGE,
        "{source} is accepted, but not acted on by this version.",
        "Nothing will happen.",
        f"use a source of {listed(_IMPORTED, 'or')}.",
    ),
    "WorkerDied": _transient(
        "the worker ended with status {status} and left no message; its log is {log}.",
        "It was killed, or ran into a bug.",
        "run the same command again: it continues; if it lasts, read the log.",
    ),
    "ManifestUnsupported": _permanent(
        Exit.USAGE,
        "{where}: {detail}.",
        f"cdi run makes files of this machine, from {listed([*_IMPORTED, 'pvc'], 'and')} sources.",
        "take that out of the manifest, or apply it to a cluster.",
    ),
    # --- the command, on a cluster or here ------------------------------------------------------------------------
    "KindUnknown": _permanent(
        Exit.USAGE,
        "{kind!r} is no kind that this verb knows{hint}.",
        "It acts on DataVolumes.",
        "write dv NAME or dv/NAME.",
    ),
    "NameMissing": _permanent(
        Exit.USAGE,
        "no DataVolume is named.",
        "This verb acts on the ones that you name.",
        "write cdi {verb} dv NAME; cdi get dv -A lists them.",
    ),
    "OptionUnfit": _permanent(
        Exit.USAGE,
        "{option} has no meaning for {target}.",
        "It cannot be used there: {reason}.",
        "leave it out; --help says which options are for which target.",
    ),
    "SourceOfThisMachine": _permanent(
        Exit.USAGE,
        "{source} cannot be imported by a cluster.",
        f"Its workers read {listed(urls(), 'and')} URLs, and no file of this machine.",
        "serve it where the cluster's pods can fetch it, or import it into a file or device here.",
    ),
    "NameInvalid": _permanent(
        Exit.USAGE,
        "{name} is no name of an object: {cause}.",
        "Names of DataVolumes are made of lower case letters, digits, - and .; those of namespaces have no dots.",
        "choose another name.",
    ),
    "NamespacesDiffer": _permanent(
        Exit.USAGE,
        "the name says namespace {named}, and --namespace says {given}.",
        "It is not clear which one is meant.",
        "leave one of them out.",
    ),
    "ClusterNotNamed": _permanent(
        Exit.USAGE,
        "no cluster is known: {cause}.",
        "Without --data a verb acts on the cluster of a kubeconfig.",
        "for a cluster give --kubeconfig FILE or set KUBECONFIG; for the volumes of this machine give --data DIR "
        "or set CDI_DATA{here}.",
    ),
    "ClusterUnreachable": _transient(
        "the cluster at {server} does not answer: {cause}.",
        "It may be down or restarting, or there is no way to it from here.",
        "check the address in the kubeconfig, the network to it, and that the API server runs.",
    ),
    "ClusterUntrusted": _permanent(
        Exit.USAGE,
        "who answers as the cluster at {server} is not trusted: {cause}.",
        "Nothing was asked of it.",
        "check certificate-authority-data, tls-server-name and the address in the kubeconfig.",
    ),
    "ClusterUnauthorized": _permanent(
        Exit.RIGHTS,
        "the cluster at {server} does not know who asks: {cause}.",
        "The token or certificate in this kubeconfig is wrong, or not valid any more.",
        "log in again, or name another kubeconfig or context; kubectl auth whoami tells whether it works.",
    ),
    "ClusterRefused": _permanent(
        Exit.RIGHTS,
        "the cluster at {server} refuses: {cause}.",
        "The user of this kubeconfig may not do that.",
        "check with kubectl auth whoami and kubectl auth can-i; for volumes of a namespace, ask who runs the cluster "
        "for the role cdi.kubevirt.io:edit there.",
    ),
    "ClusterRejected": _permanent(
        Exit.USAGE,
        "the cluster does not accept {target}: {cause}.",
        "Nothing was changed.",
        "correct what it complains about.",
    ),
    "ClusterFailed": _transient(
        "the cluster at {server} failed: {status} {cause}.",
        "The API server or a webhook is overloaded or broken.",
        "try again; if it lasts, look at kubectl get --raw /readyz and at the pods of namespace cdi.",
    ),
    "ClusterLacksCdi": _permanent(
        Exit.USAGE,
        "the cluster at {server} does not know the kind {kind}.",
        "CDI is not installed there.",
        "kubectl apply -f deploy/cdi.yaml, or choose another cluster with --context.",
    ),
    "NamespaceUnknown": _permanent(
        Exit.USAGE,
        "the cluster at {server} has no namespace {name}.",
        "Objects are made in a namespace that is there.",
        "name another with -n or dv/NAMESPACE/NAME (kubectl get namespaces lists them), or make it with "
        "kubectl create namespace {name}.",
    ),
    "QuotaExceeded": _permanent(
        Exit.RIGHTS,
        "a quota of the namespace refuses {target}: {cause}.",
        "There is no room left for it.",
        "delete what is not needed, or ask for a larger quota.",
    ),
    "ObjectExists": _permanent(
        Exit.USAGE,
        "DataVolume {name} exists already.",
        "An import into it would have to replace it.",
        "follow it with cdi watch dv {name}, choose another name, or remove it first with cdi delete dv {name}.",
    ),
    "ObjectDeleted": _permanent(
        Exit.CANCELLED,
        "DataVolume {name} was deleted while it was followed.",
        "Somebody removed it; its disk goes with it.",
        "make it again if that was a mistake.",
    ),
    "SizeUnknown": _permanent(
        Exit.USAGE,
        "the size of the disk in {source} is not known: {cause}.",
        "A volume must be at least as large as its disk.",
        "give it with --size, for example --size 20Gi.",
    ),
    "ReferredMissing": _permanent(
        Exit.USAGE,
        "there is no {kind} {name} in namespace {namespace}.",
        "A worker that needs it would wait for it.",
        "make it there with kubectl create, or name another.",
    ),
    "StorageClassUnknown": _permanent(
        Exit.USAGE,
        "there is no storage class {name}{hint}.",
        "A volume of it would wait for ever.",
        "choose one that cdi storage lists (a DataVolume has to be made again for that), or create it.",
    ),
    "ClasslessVolumeMissing": _permanent(
        Exit.USAGE,
        'storageClassName is "", and no PersistentVolume without a class is available.',
        "Such a claim takes a volume that somebody made, never the default class, and its access modes are those of "
        "the volumes that there are.",
        "make a PersistentVolume without storageClassName, or write spec.storage.accessModes, or leave "
        "storageClassName out to take the default class (a DataVolume has to be made again for the last two).",
    ),
    "DefaultClassMissing": _permanent(
        Exit.USAGE,
        "no storage class is named, and none is the default.",
        "A volume without a class would wait for ever.",
        "choose one that cdi storage lists (a DataVolume has to be made again for that), or make one the default.",
    ),
    "CloneSourceMissing": _transient(
        "the source volume {source} is not there yet.",
        "A clone starts when its source is complete.",
        "import it first; the clone continues by itself.",
    ),
    "CloneTargetTooSmall": _permanent(
        Exit.STORAGE,
        "{detail}.",
        "What is cloned would not fit.",
        "make the DataVolume again with a larger size, or with spec.storage and no size.",
    ),
    "CloneContentMismatch": _permanent(
        Exit.USAGE,
        "{detail}.",
        "A disk and an archive are different things.",
        "make the DataVolume again with the contentType and volumeMode of its source.",
    ),
    "CloneSourceUnfit": _transient(
        "{detail}.",
        "A snapshot that its storage could not take cannot be restored.",
        "read kubectl describe volumesnapshot, and take another one.",
    ),
    "CloneTypeUnknown": _permanent(
        Exit.USAGE,
        "{detail}.",
        "Nothing is cloned by a method that there is not.",
        "correct annotation cdi.kubevirt.io/cloneType of the DataVolume; it goes on by itself.",
    ),
    "CloneImpossible": _permanent(
        Exit.STORAGE,
        "{detail}.",
        "The storage cannot do it, and a copy by pods is ruled out or cannot be made.",
        "take away annotation cdi.kubevirt.io/cloneType or cloneRequire where it rules a method out, or choose a "
        "storage class that can; docs/clones.md has every reason.",
    ),
    "CloneTokenMissing": _permanent(
        Exit.RIGHTS,
        "{target} has no valid token that permits to clone {source}.",
        "Tokens are signed when a DataVolume is made, by who may read its source at that moment, for this source only.",
        "make the DataVolume again; where it names a DataSource, when that is Ready.",
    ),
    "CloneSizeUnknown": _transient(
        "no pod could see how large the disk in {source} is.",
        "A clone without a size is as large as the disk that it holds.",
        "look whether /disk.img is in that volume, or say a size in a new DataVolume.",
    ),
    "DataSourceUnready": _transient(
        "the DataSource leads to no claim and no snapshot.",
        "There is nothing to clone.",
        "read kubectl describe datasource; the clone continues by itself when that is Ready.",
    ),
    # --- uploads: what the proxy tells a client before anything was passed on --------------------------------
    "UploadTokenMissing": _permanent(
        Exit.RIGHTS,
        "the request has no header Authorization: Bearer TOKEN.",
        "Who may upload to what is said by a token, and by nothing else.",
        "create an UploadTokenRequest in the namespace of the PersistentVolumeClaim, and send its status.token.",
    ),
    "UploadTokenRefused": _permanent(
        Exit.RIGHTS,
        "{why}.",
        "Nothing was passed on.",
        "create another UploadTokenRequest in the namespace of the PersistentVolumeClaim, and send its status.token.",
    ),
    "UploadTokenUnfit": _permanent(
        Exit.RIGHTS,
        "{why}.",
        "It is a token of this cluster for something else.",
        "create an UploadTokenRequest whose spec.pvcName is the PersistentVolumeClaim, and send its status.token.",
    ),
    "UploadTokenOutdated": _permanent(
        Exit.RIGHTS,
        "the token is for a former PersistentVolumeClaim {claim}.",
        "That one was deleted, and another has its name.",
        "create another UploadTokenRequest for it, if that is the one meant.",
    ),
    "UploadClaimMissing": _permanent(
        Exit.USAGE,
        "there is no PersistentVolumeClaim {claim}.",
        "There is nothing to upload to.",
        "create a DataVolume of that name with source upload, or correct the name in the UploadTokenRequest.",
    ),
    "UploadUnasked": _permanent(
        Exit.USAGE,
        "PersistentVolumeClaim {claim} is not for uploads: {why}.",
        "Only what was made for an upload is written to.",
        "upload to a new DataVolume with source upload.",
    ),
    "UploadFinished": _permanent(
        Exit.USAGE,
        "PersistentVolumeClaim {claim} already finished uploading.",
        "It holds the disk of an earlier upload, and may be in use.",
        "upload to a new DataVolume, or delete this one first.",
    ),
    "UploadContentUnknown": _permanent(
        Exit.USAGE,
        "PersistentVolumeClaim {claim} is for contents of the type {content}.",
        "Only kubevirt (a disk) and archive are known.",
        "make it again with contentType kubevirt or archive.",
    ),
    "UploadNotReady": _transient(
        "no upload server was ready within {seconds} s. {why}.",
        "It is still being started, or something keeps it from starting.",
        "send it again; if it lasts, kubectl describe the DataVolume and the PersistentVolumeClaim.",
    ),
    "UploadLookupFailed": _transient(
        "PersistentVolumeClaim {claim} cannot be looked up: {cause}.",
        "The upload proxy does not know where to send what comes.",
        "send it again; if it lasts, whoever runs the cluster looks at the log of cdi-uploadproxy.",
    ),
    "UploadProxyUnable": _transient(
        "the upload proxy has no certificates to reach an upload server with: {cause}.",
        "It shows one, and knows servers by another; the installation makes both.",
        "have somebody who runs the cluster look at what is named cdi-uploadserver-* in the namespace of CDI.",
    ),
    "UploadServerUnreachable": _transient(
        "{server} cannot be reached: {cause}.",
        "The pod may just have ended, or a NetworkPolicy is between it and the upload proxy; nothing was sent.",
        "send it again; if it lasts, look at the pod and the NetworkPolicies of its namespace.",
    ),
    "UploadServerUntrusted": _transient(
        "{server} is not who it should be: {cause}.",
        "Its certificate is of another authority or for another name, so it got nothing.",
        "send it again; if it lasts, delete the upload pod: the one made in its place gets a new certificate.",
    ),
    "UploadServerLost": _transient(
        "{server} ended the connection without an answer after {taken} bytes: {cause}.",
        "Its pod was killed, or its node is gone; what it had is not used.",
        "send it again from the beginning.",
    ),
    "UploadBodyUnreadable": _permanent(
        Exit.USAGE,
        "after {taken} bytes the request's body cannot be read: {cause}.",
        "It is not sent as HTTP says, so it was not taken for a disk.",
        "send it again with another client or past the proxies between, or with a Content-Length.",
    ),
    # --- cdi upload -------------------------------------------------------------------------------------------
    "UploadFileDirectory": _permanent(
        Exit.USAGE,
        "{source} is a directory.",
        "A volume gets one file: the image of a disk, or a tar archive.",
        "pack it and upload that: tar -C DIRECTORY -cf files.tar . and cdi upload files.tar TARGET --archive.",
    ),
    "UploadPaused": _transient(
        "after {sent} of {total} bytes the upload server cannot be reached any more: {cause}.",
        "It keeps what it has for an hour.",
        "run the same command again: it goes on with what is missing.",
    ),
    "UploadTargetOther": _permanent(
        Exit.USAGE,
        "DataVolume {name} is there, and is no target of an upload: {why}.",
        "What it holds or will hold comes from elsewhere.",
        "choose another name, or remove it first with cdi delete dv {name}.",
    ),
    "UploadRightMissing": _permanent(
        Exit.RIGHTS,
        "this user may not {right} in namespace {namespace}: {cause}.",
        "An upload needs it.",
        "have somebody who may grant it run {grant} and then run the same command again.",
    ),
    "UploadWayMissing": _permanent(
        Exit.USAGE,
        "nothing leads from here to the upload server of {name}: {why}.",
        "It is reached through the URL of the upload proxy, or, where it takes sessions, through the Kubernetes API.",
        "give the proxy's URL with --upload-proxy-url (docs/uploads.md says how it gets one).",
    ),
    "UploadServerLate": _transient(
        "the upload server of {name} is not ready after {seconds} s: {why}.",
        "Nothing was sent; the DataVolume stays.",
        "{remedy}; the same command waits again.",
    ),
    "UploadRefused": _permanent(
        Exit.SOURCE,
        "the upload was answered with status {status}: {said}.",
        "The volume is as it was before.",
        "do what the answer says; the same command uploads again.",
    ),
    "UploadFailed": _permanent(
        Exit.STORAGE,
        "all bytes came, and they did not become the disk of {name}: {said}.",
        "The volume is as it was before.",
        "do what the message says; the same command uploads again.",
    ),
    "UploadCutOff": _transient(
        "the connection broke after {sent} of {total} bytes: {cause}.",
        "A proxy that knows no sessions keeps nothing of an upload that broke off.",
        "run the same command again: it begins at the first byte.",
    ),
    "UploadProxyUnfit": _permanent(
        Exit.USAGE,
        "the upload proxy {url} cannot be used: {cause}.",
        "Nothing was sent: neither a token nor a disk goes to somebody who is not known.",
        "correct --upload-proxy-url, or name with --ca who signed its certificate.",
    ),
}


def _markdown() -> str:
    lines = [
        "# Errors",
        "",
        "Generated from `cdi/base/faults.py` by `make generate`; do not edit.",
        "Permanent: needs a person. Transient: tried again by itself. The exit code is that of the `cdi` command.",
        "",
    ]
    for code, entry in sorted(CATALOGUE.items()):
        kind = "permanent" if entry.permanent else "transient"
        lines += [f"## {code}", "", f"{kind}, exit code {entry.exit.value}", ""]
        lines += [f"- What: {entry.what}", f"- Means: {entry.means}", f"- Try: {entry.remedy}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(_markdown(), end="")
