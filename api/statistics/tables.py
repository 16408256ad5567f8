"""The table of published figures: what was printed and cannot be counted."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, Date, Integer, Table, Text

from api.statistics.model import Measure
from api.storage.base import metadata, words
from api.vocabulary import Municipality

reported_figure: Final = Table(
    "reported_figure",
    metadata,
    Column("reference_date", Date, primary_key=True),
    *words("municipality", Municipality, primary_key=True),
    *words("measure", Measure, primary_key=True),
    Column("value", Integer, comment="Whole people, places or per cents; NULL when no number was printed."),
    Column("text", Text, comment="What was printed, where the number does not tell it."),
    Column("estimated", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    CheckConstraint("value IS NOT NULL OR text IS NOT NULL", name="printed"),
    schema="exchange",
    comment="Figures as they were published, for what no population yields: capacity, targets, estimates.",
)
