"""The declarative base of this service's tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from common.database import NAMING


class Base(DeclarativeBase):
    """A metadata of this service's own."""

    metadata = MetaData(naming_convention=NAMING)
