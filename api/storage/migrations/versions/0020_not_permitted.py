"""An index of what was not permitted, in the words of a query that is turned round."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

NAME = "ix_projection_not_permitted"


def upgrade() -> None:
    op.create_index(
        NAME, "projection", ["index"], schema="audit", postgresql_where=sa.text("(result = 'permitted') IS NOT TRUE")
    )


def downgrade() -> None:
    op.drop_index(NAME, "projection", schema="audit")
