"""The declarative base of this service's tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from common.database import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
