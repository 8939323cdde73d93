"""Bodies of the catalogue's own search."""

from pydantic import BaseModel

from course_catalog.courses.schemas import CourseItem, Pagination


class FacetValue(BaseModel):
    """How many courses of the whole list have this value."""

    value: str
    count: int


class FacetsOut(BaseModel):
    """Each most frequent first."""

    org: list[FacetValue]
    language: list[FacetValue]
    pacing: list[FacetValue]
    mode: list[FacetValue]


class CatalogPage(BaseModel):
    """One page of a search."""

    results: list[CourseItem]
    pagination: Pagination
    facets: FacetsOut | None = None
