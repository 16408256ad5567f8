"""Settings of what is kept of the log outside the database: the signer guard, and what everybody may fetch."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.outbound import loopback


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
        parts = urlsplit(self.log_guard_url)
        if not self.log_guard_url or (_is_address(parts) and len(parts.path) > 1):
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
        if not self.log_bucket_url or _is_address(urlsplit(self.log_bucket_url)):
            return []
        return ["KETENBRUG_LOG_BUCKET_URL: an https address without query, and no / at its end; http on loopback only"]


def _is_address(parts: SplitResult) -> bool:
    """Whether it is that of an object or of what others are below, and no more; http is one on loopback."""
    near = parts.scheme == "http" and loopback(parts.hostname or "")
    plain = not (parts.username or parts.query or parts.fragment or parts.path.endswith("/"))
    return bool(parts.hostname) and plain and (parts.scheme == "https" or near)
