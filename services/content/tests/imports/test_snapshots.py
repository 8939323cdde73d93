"""Rows from a snapshot, and a snapshot from rows: drafts keep their places."""

import orjson
import pytest

from content.imports.snapshots import Block, build_rows, describe_drafts, read_snapshot


def rows_of(draft):
    return build_rows(read_snapshot(orjson.dumps(draft.document())))


def test_without_drafts_both_branches_hold_the_same(a_draft):
    rows = rows_of(a_draft())
    assert rows.draft == rows.published
    assert rows.published["html@intro"].parent == "vertical@u1"
    assert rows.published["course@course"].parent is None
    assert rows.published["about@overview"].parent is None


def test_a_draft_takes_its_place_among_its_parents_children(a_draft):
    draft = a_draft()
    draft.block("vertical@n1", draft={"parent": "sequential@a", "index": 0})
    draft.block("vertical@n2", draft={"parent": "sequential@a", "index": 3})
    draft.block("vertical@n3", draft={"parent": "sequential@a"})
    rows = rows_of(draft)
    assert rows.draft["sequential@a"].children == (
        "vertical@n1", "vertical@u1", "vertical@u2", "vertical@n2", "vertical@n3",
    )  # fmt: skip
    assert rows.published["sequential@a"].children == ("vertical@u1", "vertical@u2")
    assert rows.draft["vertical@n2"].parent == "sequential@a"


def test_what_a_draft_no_longer_lists_is_gone_from_the_draft_branch_alone(a_draft):
    draft = a_draft()
    draft.block("vertical@u1", "video@film", display_name="Unit 1", draft={"parent": "sequential@a", "index": 0})
    rows = rows_of(draft)
    assert "html@intro" in rows.published
    assert "html@intro" not in rows.draft
    assert rows.draft["vertical@u1"].children == ("video@film",)


def test_of_two_parents_the_one_met_first_is_the_parent(a_draft):
    draft = a_draft()
    draft.blocks["vertical@u3"]["children"].append("html@intro")
    assert rows_of(draft).published["html@intro"].parent == "vertical@u1"


def test_a_block_may_be_called_like_our_rows_of_assets_and_files(a_draft):
    draft = a_draft()
    draft.block("asset@pics_a_b.png", display_name="no asset")
    draft.block("file@x", display_name="no file")
    draft.files["x"] = "text"
    rows = rows_of(draft)
    assert {"asset@pics_a_b.png", "$asset@pics_a_b.png", "file@x", "$file@x"} <= rows.published.keys()


def blocks(**children: list[str]) -> dict[str, Block]:
    return {
        name.replace("__", "@"): Block(name.split("__")[0], {}, {}, list(below), {}) for name, below in children.items()
    }


@pytest.mark.parametrize(
    ("published", "draft", "drafts"),
    [
        (
            {"sequential__s": ["vertical@a"], "vertical__a": []},
            {"sequential__s": ["vertical@a", "vertical@b"], "vertical__a": [], "vertical__b": []},
            {"vertical@b": ("sequential@s", 1)},
        ),
        (
            {"sequential__s": ["vertical@a", "vertical@b"], "vertical__a": [], "vertical__b": []},
            {"sequential__s": ["vertical@b", "vertical@a"], "vertical__a": [], "vertical__b": []},
            {"sequential@s": (None, 0)},
        ),
        (
            {"sequential__s": ["vertical@a"], "vertical__a": []},
            {"sequential__s": ["vertical@a"], "vertical__a": ["html@h"], "html__h": []},
            {"vertical@a": ("sequential@s", 0), "html@h": ("vertical@a", 0)},
        ),
    ],
)
def test_only_what_a_draft_changes_is_written_as_a_draft(published, draft, drafts):
    found = describe_drafts(blocks(**published), blocks(**draft))
    assert {name: (block.parent, block.index) for name, block in found.items()} == drafts
