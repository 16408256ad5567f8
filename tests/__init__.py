"""Tests. What is shared between folders is imported from here."""
