"""Settings of what is kept of the log outside the database: guard, published hashes, logbook."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.outbound import loopback

BUCKET: Final = "KETENBRUG_LOG_BUCKET_URL"
"""The setting that says where the log is published."""

_PORTS: Final = {"https": 443, "http": 80}


class GuardSettings(BaseSettings):
    """Where the last signed head is kept."""

    model_config = SettingsConfigDict(env_prefix="KETENBRUG_", frozen=True, extra="ignore")

    log_guard: Path = Field(
        Path("ketenbrug.guard"), description="The signer guard: kept by the machine that signs, not with the database."
    )
    log_guard_url: str = Field(
        "", description="The guard as an S3 object, for several machines: https://BUCKET.s3.REGION.amazonaws.com/NAME."
    )
    log_guard_region: str = "us-east-1"

    def guard_faults(self) -> list[str]:
        """Why it could not be there."""
        if not self.log_guard_url or (_is_address(self.log_guard_url) and urlsplit(self.log_guard_url).path):
            return []
        return ["KETENBRUG_LOG_GUARD_URL: the https address of an object, without query; http on loopback only"]


class BucketSettings(BaseSettings):
    """Where the log is published for everybody."""

    model_config = SettingsConfigDict(env_prefix="KETENBRUG_", frozen=True, extra="ignore")

    log_bucket_url: str = Field(
        "", description="S3 bucket for head and hashes of the log: https://BUCKET.s3.REGION.amazonaws.com, or below it."
    )
    log_bucket_region: str = "us-east-1"

    def bucket_faults(self) -> list[str]:
        """Why it could not be that."""
        if not self.log_bucket_url or _is_address(self.log_bucket_url):
            return []
        return [f"{BUCKET}: an https address without query, and no / at its end; http on loopback only"]


class LogbookSettings(BaseSettings):
    """Where a logbook of processing is (Logboek Dataverwerkingen)."""

    model_config = SettingsConfigDict(env_prefix="KETENBRUG_", frozen=True, extra="ignore")

    ldv_collector: str = Field("", description="Where LDV records go (OTLP over HTTP): https://…/v1/traces.")
    ldv_register: str = Field("", description="Your register of processing activities (GDPR article 30): an address.")
    ldv_token: SecretStr | None = Field(None, description="Bearer token for the collector.")
    ldv_own_network: bool = Field(default=False, description="The collector stands in the own network.")

    def logbook_faults(self) -> list[str]:
        """Why records could not go there."""
        if not self.ldv_collector:
            return []
        faults: list[str] = []
        parts = urlsplit(self.ldv_collector)
        near = self.ldv_own_network and loopback(parts.hostname or "")
        if not parts.hostname or parts.username or not (parts.scheme == "https" or (parts.scheme == "http" and near)):
            faults.append("KETENBRUG_LDV_COLLECTOR: an https address, such as https://collector.example.org/v1/traces")
        if not self.ldv_register.startswith("https://"):
            faults.append("KETENBRUG_LDV_REGISTER: the https address of your register: records name the activity there")
        return faults


def clash_faults(guard: GuardSettings, bucket: BucketSettings) -> list[str]:
    """Why the two could not be where they are, when each of them could: what is published would be written over."""
    urls = (guard.log_guard_url, bucket.log_bucket_url)
    if not all(urls) or guard.guard_faults() or bucket.bucket_faults() or not _nested(_steps(urls[0]), _steps(urls[1])):
        return []
    return [f"KETENBRUG_LOG_GUARD_URL: not what {BUCKET} names, nor below or above it"]


def in_one_bucket(one: str, other: str) -> bool:
    """Whether two addresses are, or may be, of one bucket: who may read there is said of it as a whole."""
    return _nested(_bucket(one), _bucket(other))


def _is_address(url: str) -> bool:
    """Whether it is that of an object or of what others are below, and no more; http is one on loopback."""
    try:
        parts = urlsplit(url)
        _steps(url)
    except ValueError:
        return False
    near = parts.scheme == "http" and loopback(parts.hostname or "")
    steps = {unquote(each) for each in parts.path.split("/")[1:]}
    plain = not (parts.username or parts.query or parts.fragment or steps & {"", ".", ".."})
    return bool(parts.hostname) and plain and (parts.scheme == "https" or near)


def _nested(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one of them is the beginning of the other, or all of it."""
    return all(mine == theirs for mine, theirs in zip(one, other, strict=False))


def _steps(url: str) -> tuple[str, ...]:
    """The host with its port, and each step of the path, as whoever is asked reads them. Raises `ValueError`."""
    parts = urlsplit(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    return (f"{host}:{port}", *(unquote(each) for each in parts.path.split("/")[1:]))


def _bucket(url: str) -> tuple[str, ...]:
    """What an address says of its bucket: the host, and a step of the path where the host does not name the bucket."""
    host, *path = _steps(url)
    if path and host.startswith(("s3.", "s3-")):
        host = f"{path.pop(0)}.{host}"
    return (host,) if ".s3." in host or ".s3-" in host else (host, *path[:1])
