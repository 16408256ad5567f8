"""Tables of the oauth room: who is registered, what was used once, which tokens were revoked, who is signed in."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from api.storage.base import instant, key, metadata, words, words_array
from api.vocabulary import Municipality, Party, Role, Scope, Signable

GRANTS: Final = ("client_credentials",)
"""Exactly one grant type per client (NL GOV profile), and this is the only one that there is."""

organisation: Final = Table(
    "organisation",
    metadata,
    key(),
    *words("kind", Party),
    Column("name", Text, nullable=False),
    Column("oin", Text),
    *words_array("municipalities", Municipality),
    Column("designation_source", Text),
    Column("designation_date", Date),
    Column("signing_jwks", JSONB(none_as_null=True)),
    *words_array("signs", Signable, server_default="{}"),
    instant("created_at"),
    UniqueConstraint("oin"),
    CheckConstraint("oin ~ '^[0-9]{20}$'", name="oin"),
    CheckConstraint("(designation_source IS NULL) = (designation_date IS NULL)", name="designation"),
    schema="oauth",
    comment=(
        "The parties of the exchange. designation_*: Aliens Act 2000 article 107(8), with its source. "
        "signing_jwks: public keys that sign agreements for it. signs: operations whose payload it always signs."
    ),
)

client: Final = Table(
    "client",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("organisation_id", Uuid, ForeignKey("oauth.organisation.id"), nullable=False, index=True),
    Column("jwks", JSONB, nullable=False),
    Column("jwks_uri", Text),
    instant("keys_since"),
    Column("encryption_jwk", Text),
    Column("payload_jwks", Text),
    Column("certificates", JSONB(none_as_null=True)),
    *words_array("scopes", Scope),
    *words("grant_type", GRANTS),
    Column("enabled", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    instant("created_at"),
    CheckConstraint("client_id ~ '^[a-z0-9][a-z0-9-]{1,63}$'", name="client_id"),
    CheckConstraint("certificates IS NULL OR (jwks = '[]' AND jwks_uri IS NULL)", name="certificates"),
    schema="oauth",
    comment=(
        "Machine clients. epoch counts the changes of the row and of its organisation. jwks_uri: where its keys stand; "
        "then jwks are those that were found there last. keys_since: when they last changed. "
        "encryption_jwk: what its answers are sealed to. payload_jwks: what signs the payloads that it sends. "
        "certificates: null for who proves itself by keys; else it is by a certificate with the OIN of its "
        "organisation, and by one of these if there are any."
    ),
)

allowance: Final = Table(
    "allowance",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("window_no", BigInteger, nullable=False),
    Column("taken", Integer, nullable=False),
    schema="oauth",
    prefixes=["UNLOGGED"],
    comment="What workers have leased of a client's rate limit in the present window. Lost in a crash, and may be.",
)

operator: Final = Table(
    "operator",
    metadata,
    Column("name", Text, primary_key=True),
    Column("jwk", JSONB, nullable=False),
    instant("created_at"),
    schema="oauth",
    comment="Operators of the exchange, under opaque names, with the public key that each signs with.",
)

proposal: Final = Table(
    "proposal",
    metadata,
    key(),
    *words(
        "deed",
        (
            "organisation",
            "client",
            "designation",
            "operator",
            "provider",
            "payload-keys",
            "payload-signatures",
            "certificates",
        ),
    ),
    Column("content", JSONB, nullable=False),
    Column("proposed_by", Text, ForeignKey("oauth.operator.name"), nullable=False),
    Column("proposed_signature", Text, nullable=False),
    instant("proposed_at"),
    Column("confirmed_by", Text, ForeignKey("oauth.operator.name")),
    Column("confirmed_signature", Text),
    instant("confirmed_at", nullable=True),
    CheckConstraint("confirmed_by <> proposed_by", name="two"),
    CheckConstraint(
        "num_nulls(confirmed_by, confirmed_signature, confirmed_at) IN (0, 3)",
        name="confirmed",
    ),
    schema="oauth",
    comment="What one operator proposed to register, and who confirmed it; both signatures stay.",
)

revoked: Final = Table(
    "revoked",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    instant("expires_at"),
    schema="oauth",
    comment="Access tokens that were revoked and have not expired yet (RFC 7009). No personal data: digests.",
)

seen: Final = Table(
    "seen",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    instant("expires_at"),
    schema="oauth",
    comment="Marks of what was used once (DPoP proofs, client assertions). No personal data: digests.",
)

signing_key: Final = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True),
    instant("begins_at"),
    Column("lost", Boolean, nullable=False),
    schema="oauth",
    comment="Ids of keys that sign access tokens, so that nobody serves with an old file of them. No keys.",
)

unproven: Final = Table(
    "unproven",
    metadata,
    instant("minute"),
    Column("zone", Text),
    Column("reason", Text),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("minute", "zone", "reason"),
    CheckConstraint("count > 0", name="count"),
    schema="oauth",
    comment="Refused requests of callers who proved nothing, until a worker makes an entry of a minute.",
)

provider: Final = Table(
    "provider",
    metadata,
    key(),
    Column("organisation_id", Uuid, ForeignKey("oauth.organisation.id"), nullable=False, index=True),
    Column("issuer", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("role_claim", Text, nullable=False),
    Column("roles", JSONB, nullable=False),
    Column("contact", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    instant("created_at"),
    UniqueConstraint("issuer", "client_id"),
    schema="oauth",
    comment=(
        "OpenID providers of organisations, where their people sign in. client_id: what we are called there. "
        "roles: values of role_claim, and the role that each is here."
    ),
)

session: Final = Table(
    "session",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("organisation_id", Uuid, ForeignKey("oauth.organisation.id"), nullable=False, index=True),
    Column("provider_id", Uuid, ForeignKey("oauth.provider.id"), index=True),
    *words_array("roles", Role),
    Column("person", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    instant("created_at"),
    instant("seen_at"),
    instant("expires_at"),
    UniqueConstraint("id"),
    schema="oauth",
    comment=(
        "People who are signed in. digest: of what their cookie holds. person: the pseudonym by which the log knows "
        "them. sealed: their name, under a key that only the cookie gives. provider_id is null: by an operator's link."
    ),
)

link: Final = Table(
    "link",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("organisation_id", Uuid, ForeignKey("oauth.organisation.id"), nullable=False),
    *words_array("roles", Role),
    Column("person", Text, nullable=False),
    instant("expires_at"),
    schema="oauth",
    comment="Links by which somebody may sign in once, made by an operator. digest: of the secret in the link.",
)
