"""The declarative base of this service's tables."""

from common.database import new_base

Base = new_base()
