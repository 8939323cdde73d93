"""Programs as enrollment knows them, and how external keys are compared."""

import unicodedata
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Program:
    """What is known of a program, as far as it matters here."""

    uuid: UUID
    title: str
    type: str
    slug: str
    organization: str | None
    curriculum_uuid: UUID | None


def fold(key: str) -> str:
    """An external key as keys are compared: neither case nor the composition of accents tells two of them apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", key).casefold())
