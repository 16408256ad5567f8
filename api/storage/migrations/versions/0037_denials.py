"""What an organisation was denied of a thing is found by itself, whatever else was asked about that thing.

How far a rule has come is set to nothing when all is to be found anew, and not deleted.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def _role() -> str:
    return str(op.get_bind().dialect.identifier_preparer.quote(context.config.attributes["app_role"]))


def upgrade() -> None:
    op.execute(f"REVOKE DELETE ON audit.signal_state FROM {_role()}")
    op.create_index(
        "ix_projection_denials",
        "projection",
        ["object_id", "organisation", "action", "index"],
        schema="audit",
        postgresql_where=sa.text("reason IN ('not-found', 'not-permitted')"),
    )


def downgrade() -> None:
    op.drop_index("ix_projection_denials", "projection", schema="audit")
    op.execute(f"GRANT DELETE ON audit.signal_state TO {_role()}")
