"""Settings: read once at an entry point from `KETENBRUG_…`, frozen, passed on. Every fault is reported together.

Only serve, migrate, register, keys and audit read `KETENBRUG_DATABASE_URL`; work reads `KETENBRUG_WORK_DATABASE_URL`,
and nobody takes one for want of the other. Demo, sandbox and tests make their own database and look at neither.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import UUID4, UUID7, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.audit.places import BucketSettings, GuardSettings, LogbookSettings, clash_faults
from api.crypto.choice import Choice, Kind
from api.crypto.signing_choice import SigningChoice
from api.errors import Misconfigured
from api.oauth.hop import HopSettings
from api.outbound import loopback
from api.vocabulary import SignalRule  # noqa: TC001 - Pydantic reads it

T = TypeVar("T", bound=BaseSettings)

_DRIVER: Final = ("postgresql://", "postgres://")
_WORK_DATABASE: Final = "KETENBRUG_WORK_DATABASE_URL"
_STEPS: Final = {
    _WORK_DATABASE: "what writes the log has a role of its own: as a superuser, CREATE ROLE ketenbrug_work LOGIN IN "
    "ROLE ketenbrug_app; then run `ketenbrug migrate`, and set this to the same database as that role. Without it, "
    "`ketenbrug serve --no-work` serves, while `ketenbrug work` runs elsewhere",
    "KETENBRUG_DATABASE_URL": "not set: where the database is, as postgresql://user:password@host:port/name",
    "KETENBRUG_PUBLIC_URL": "not set: where clients reach us, such as https://ketenbrug.example.org",
}
"""What is to be done where a setting is missing, when its name does not tell."""


class DatabaseSettings(BaseSettings):
    """Which database, for commands that work on one, and as which role they enter it."""

    model_config = SettingsConfigDict(env_prefix="KETENBRUG_", frozen=True, extra="ignore")

    database_variable: ClassVar[str] = "KETENBRUG_DATABASE_URL"
    database_url: SecretStr = Field(description="postgresql://user:password@host:port/name")
    sandbox: bool = False


class WorkDatabaseSettings(DatabaseSettings):
    """The same, for what enters it as the role that writes the log."""

    database_variable: ClassVar[str] = _WORK_DATABASE
    database_url: SecretStr = Field(
        validation_alias=_WORK_DATABASE, description="The same database, as the role of `ketenbrug work`."
    )


class KeySettings(SigningChoice, BaseSettings):
    """Where the service's own keys are, and who keeps those that may be elsewhere: the file too, or a key service."""

    model_config = SettingsConfigDict(env_prefix="KETENBRUG_", frozen=True, extra="ignore")

    key_file: Path = Path("ketenbrug.keys")
    key_service: Kind = Kind.FILE
    key_service_name: Annotated[
        str, Field(pattern=r"^[a-z0-9-]{1,40}$", description="What our keys there are called, before the number.")
    ] = "ketenbrug"
    key_service_index: bool = Field(
        default=True, description="Whether the next key of the V-number index is made there too; if not, in the file."
    )
    key_service_url: str = Field("", description="transit: of the server. kms: in place of the address of AWS.")
    key_service_credentials: Path | None = Field(
        None, description="transit: file with the token, kept fresh by the agent. pkcs11: file with the PIN."
    )
    key_service_authorities: Path | None = Field(None, description="transit: certificates to trust, PEM.")
    key_service_mount: str = Field("transit", description="transit: where the engine is mounted.")
    key_service_namespace: str = Field("", description="transit: the namespace, where the server has them.")
    key_service_module: Path | None = Field(None, description="pkcs11: the library of the maker.")
    key_service_token: str = Field("", description="pkcs11: label of the token.")
    key_service_region: str = Field("", description="kms: the region.")

    @property
    def custody(self) -> Choice:
        """Who keeps the key-encryption keys."""
        return Choice(
            kind=self.key_service,
            name=self.key_service_name,
            index=self.key_service_index,
            url=self.key_service_url.rstrip("/"),
            credentials=self.key_service_credentials,
            authorities=self.key_service_authorities,
            mount=self.key_service_mount,
            namespace=self.key_service_namespace,
            module=self.key_service_module,
            token=self.key_service_token,
            region=self.key_service_region,
        )

    @property
    def signing_file(self) -> Path:
        """Where the signing keys are that came after the one in the key file."""
        return self.key_file.with_name(f"{self.key_file.name}.signing")


class TrustedIssuer(BaseModel):
    """An authorization server of somebody else, in `KETENBRUG_ISSUERS`: a JSON list of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    issuer: str = Field(description="Exactly as in the `iss` of its tokens.")
    audience: str = Field("", description="The `aud` of its tokens for us; ours when empty.")
    clients: dict[str, str] = Field(min_length=1, description="Client ids there, and the registered client each is.")
    token_types: tuple[str, ...] = ("at+jwt", "application/at+jwt")
    client_claim: str = "client_id"
    own_network: bool = Field(default=False, description="It stands in the own network: private addresses are taken.")


class Settings(DatabaseSettings, KeySettings, GuardSettings, BucketSettings, LogbookSettings, HopSettings):
    """What `serve` needs, and `work` too but for its way into the database."""

    public_url: str = Field(description="As clients see us: scheme, host and port, nothing behind it.")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8080
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    pool_size: Annotated[int, Field(ge=2, le=200)] = 10
    pool_wait: Annotated[float, Field(gt=0, le=30)] = 2.0
    body_limit: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 1024 * 1024
    patience: Annotated[float, Field(gt=0, le=300)] = 30.0
    rate_requests: Annotated[int, Field(ge=1, le=100_000_000, description="Per client and minute.")] = 1_200
    rate_lookups: Annotated[int, Field(ge=1, le=100_000_000, description="V-numbers per client and hour.")] = 300
    rate_same_person: Annotated[
        int, Field(ge=1, le=100_000_000, description="Times one V-number, per client, hour and worker.")
    ] = 30
    rate_tokens: Annotated[int, Field(ge=1, le=10**8, description="Tokens, and revoking them, per minute.")] = 60
    rate_introspections: Annotated[
        int, Field(ge=1, le=100_000_000, description="Questions about tokens, per client and minute.")
    ] = 600
    merge_interval: Annotated[float, Field(ge=0.1, le=5, description="Seconds between two looks for entries.")] = 0.5
    merge_delay: Annotated[int, Field(ge=1, le=86_400, description="Seconds; what a receipt promises.")] = 60
    merge_bound: Annotated[
        float, Field(gt=0, description="Seconds that the tree may be behind before nothing is disclosed.")
    ] = 30.0
    log_witnesses: Path | None = Field(None, description="C2SP tlog-policy file: witnesses that are asked to cosign.")
    log_origin: str = Field("", description="Name of the transparency log; the host of `public_url` when empty.")
    security_contact: str = Field("", description="Where a finder reports a weakness (RFC 9116): https: or mailto:.")
    security_policy: str = Field("", description="Where the policy for that stands: https:.")
    signals: Annotated[
        dict[SignalRule, Annotated[int, Field(ge=1, le=100_000)]],
        Field(description="Thresholds other than the rules' own."),
    ] = {}
    signals_watched: Annotated[tuple[UUID4, ...], Field(description="Aliases in the log of who is watched over.")] = ()
    honey: Annotated[tuple[UUID4 | UUID7, ...], Field(description="Planted records: what `ketenbrug honey` said.")] = ()
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    issuers: tuple[TrustedIssuer, ...] = ()
    embedded_issuer: Annotated[bool, Field(description="Whether tokens of our own are issued and taken.")] = True
    client_key_origins: tuple[str, ...] = Field((), description="Own network, for keys and sign-in: origins.")

    @property
    def issuer(self) -> str:
        """The issuer of our tokens."""
        return self.public_url

    @property
    def audience(self) -> str:
        """What our tokens are for."""
        return f"{self.public_url}/v1"

    @property
    def origin(self) -> str:
        """The name of the log (C2SP tlog-checkpoint origin): a schema-less URL."""
        return self.log_origin or f"{urlsplit(self.public_url).netloc}/log"


class WorkSettings(WorkDatabaseSettings, Settings):
    """What `work` needs."""


def now() -> datetime:
    """The clock of entry points. Everything below takes `now` as an argument."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one module that reads it


def database(kind: type[DatabaseSettings] = DatabaseSettings) -> str:
    """The database URL of commands that need nothing else. Raises `Misconfigured`."""
    if faults := _database_faults(found := _read(kind)):
        raise Misconfigured(tuple(faults))
    return found.database_url.get_secret_value()


def is_sandbox() -> bool:
    """Whether this is a sandbox. Raises `Misconfigured`."""
    return _read(DatabaseSettings).sandbox


def key_file() -> Path:
    """Where the key file is. Raises `Misconfigured`."""
    return _read(KeySettings).key_file


def custody() -> tuple[Path, Choice]:
    """The key file, and who keeps the key-encryption keys. Raises `Misconfigured`."""
    return (found := _keys()).key_file, found.custody


def signing() -> tuple[Path, SigningChoice]:
    """The file of signing keys, which need not exist, and where they are made. Raises `Misconfigured`."""
    return (found := _keys()).signing_file, found


def bucket(url: str | None, region: str | None) -> BucketSettings:
    """Where the log is published; `url` and `region` in place of what is set. Raises `Misconfigured`."""
    given = {"log_bucket_url": url, "log_bucket_region": region}
    found = _read(BucketSettings).model_copy(update={name: each for name, each in given.items() if each is not None})
    if faults := found.bucket_faults():
        raise Misconfigured(tuple(faults))
    return found


def serving() -> Settings:
    """What `serve` needs. Raises `Misconfigured` with every fault."""
    settings, faults = examined(Settings)
    if faults:
        raise Misconfigured(faults)
    return settings


def examined(kind: type[Settings]) -> tuple[Settings, tuple[str, ...]]:
    """Settings, and every fault of them, for whoever looks for more. Raises `Misconfigured` if they cannot be read."""
    settings = _read(kind)
    return settings, tuple(_faults(settings))


def _keys() -> KeySettings:
    found = _read(KeySettings)
    if faults := [*found.custody.faults(), *found.signing_faults()]:
        raise Misconfigured(tuple(faults))
    return found


def _read(kind: type[T]) -> T:
    try:
        return kind()
    except ValidationError as error:
        raise Misconfigured(
            tuple(f"{(name := _variable(each['loc']))}: {_STEPS.get(name, each['msg'])}" for each in error.errors())
        ) from None


def _variable(place: tuple[int | str, ...]) -> str:
    return f"KETENBRUG_{'_'.join(map(str, place)).upper().removeprefix('KETENBRUG_')}"


def _database_faults(settings: DatabaseSettings) -> list[str]:
    if settings.database_url.get_secret_value().startswith(_DRIVER):
        return []
    return [f"{settings.database_variable}: must begin with postgresql://"]


def _faults(settings: Settings) -> list[str]:
    faults = _database_faults(settings)
    parts = urlsplit(settings.public_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.username:
        faults.append("KETENBRUG_PUBLIC_URL: scheme, host and port only, such as https://ketenbrug.example.org")
    elif parts.scheme == "http" and not loopback(parts.hostname):
        faults.append("KETENBRUG_PUBLIC_URL: http is for loopback only; tokens and data need https")
    if settings.security_contact and not settings.security_contact.startswith(("https://", "mailto:")):
        faults.append("KETENBRUG_SECURITY_CONTACT: an https: or mailto: address")
    faults += [*settings.custody.faults(), *settings.signing_faults()]
    faults += _issuer_faults(settings) + settings.hop_faults()
    faults += settings.logbook_faults() + settings.guard_faults() + settings.bucket_faults()
    faults += clash_faults(settings, settings)
    if settings.sandbox and parts.hostname and not loopback(parts.hostname):
        faults.append("KETENBRUG_SANDBOX: the sandbox is served on loopback only")
    return faults


def _issuer_faults(settings: Settings) -> list[str]:
    faults: list[str] = []
    known = [each.issuer for each in settings.issuers]
    if len(set(known)) != len(known) or settings.issuer in known:
        faults.append("KETENBRUG_ISSUERS: each issuer once, and none of them our own")
    for each in settings.issuers:
        parts = urlsplit(each.issuer)
        near = each.own_network and loopback(parts.hostname or "")
        if not parts.hostname or parts.query or parts.fragment or not (parts.scheme == "https" or near):
            faults.append("KETENBRUG_ISSUERS: an issuer is an https address without query and fragment")
    if not all(_is_origin(each) for each in settings.client_key_origins):
        faults.append("KETENBRUG_CLIENT_KEY_ORIGINS: scheme, host and port of each")
    if not known and not settings.embedded_issuer:
        faults.append("KETENBRUG_EMBEDDED_ISSUER: without it nobody issues tokens; name others in KETENBRUG_ISSUERS")
    return faults


def _is_origin(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.path and "@" not in parts.netloc
