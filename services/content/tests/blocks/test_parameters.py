"""The blocks API's query string."""

import pytest
from starlette.datastructures import QueryParams

from content.blocks.parameters import BadParameters, read_blocks_query


@pytest.mark.parametrize(
    ("query", "field", "text"),
    [
        ("depth=x", "depth", "'x' is not a valid depth value."),
        ("depth=-1", "depth", "'-1' is not a valid depth value."),
        ("nav_depth=x", "nav_depth", "Enter a whole number."),
        ("nav_depth=-1", "nav_depth", "Ensure this value is greater than or equal to 0."),
        ("all_blocks=yes", "all_blocks", "Invalid Boolean Value."),
        ("return_type=xml", "return_type", "Select a valid choice. xml is not one of the available choices."),
        ("requested_fields=graded,", "requested_fields", "This field cannot be empty."),
        ("block_counts=", "block_counts", "This field cannot be empty."),
    ],
)
def test_what_is_wrong_is_said_in_upstreams_words(query, field, text):
    asked = read_blocks_query(QueryParams(query))
    assert asked.errors == {field: text}
    with pytest.raises(BadParameters) as refused:
        asked.refuse()
    assert refused.value.extra == {"field_errors": {field: {"developer_message": text}}}


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("", "depth", 0),
        ("depth=all", "depth", None),
        ("depth=3", "depth", 3),
        ("", "username", None),
        ("username=", "username", ""),
        ("all_blocks=True", "all_blocks", True),
        ("all_blocks=0", "all_blocks", False),
        ("return_type=list", "return_type", "list"),
        ("", "requested_fields", {"type", "display_name"}),
        ("requested_fields=a,b&requested_fields=c", "requested_fields", {"type", "display_name", "a", "b", "c"}),
        ("nav_depth=0", "requested_fields", {"type", "display_name", "nav_depth"}),
        ("block_counts=html&block_types_filter=html", "requested_fields",
         {"type", "display_name", "block_counts", "block_types_filter"}),
        ("student_view_data=video", "requested_fields", {"type", "display_name", "student_view_data"}),
    ],
)  # fmt: skip
def test_parameters_are_read_as_upstream_reads_them(query, name, value):
    asked = read_blocks_query(QueryParams(query))
    assert asked.errors == {}
    assert getattr(asked, name) == value
