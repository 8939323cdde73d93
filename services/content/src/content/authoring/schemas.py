"""Bodies of the authoring handlers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool, StrictInt, StrictStr

Publish = Literal["make_public", "republish", "discard_changes"]


class BlockIn(BaseModel):
    """What Studio's handlers read; whatever else a client sends back of what it got is left alone."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"example": {
        "parent_locator": "block-v1:ExampleX+EX101+2026+type@vertical+block@unit", "category": "html",
        "display_name": "Welcome",
    }})  # fmt: skip

    parent_locator: StrictStr | None = None
    category: StrictStr | None = None
    display_name: StrictStr | None = None
    boilerplate: StrictStr | None = None
    staged_content: StrictStr | None = None
    data: StrictStr | None = None
    fields: dict[str, JsonValue] | None = None
    metadata: dict[str, JsonValue] | None = None
    nullout: list[StrictStr] | None = None
    children: list[StrictStr] | None = None
    grader_type: StrictStr | None = Field(default=None, alias="graderType")
    is_prereq: StrictBool | None = Field(default=None, alias="isPrereq")
    prereq_usage_key: StrictStr | None = Field(default=None, alias="prereqUsageKey")
    prereq_min_score: JsonValue = Field(default=None, alias="prereqMinScore", description="0 to 100")
    prereq_min_completion: JsonValue = Field(default=None, alias="prereqMinCompletion", description="0 to 100")
    publish: Publish | None = None
    duplicate_source_locator: StrictStr | None = None
    move_source_locator: StrictStr | None = None
    target_index: JsonValue = Field(default=None, description="Place among the target's children")


class StrictBlockIn(BlockIn):
    """What the authoring REST API reads: the same, and the fields of a block's description; nothing else."""

    model_config = ConfigDict(extra="forbid")

    id: StrictStr | None = None
    prereq_min_score: StrictInt | None = Field(default=None, alias="prereqMinScore")
    prereq_min_completion: StrictInt | None = Field(default=None, alias="prereqMinCompletion")
    target_index: StrictInt | None = None
    has_changes: StrictBool | None = None
    has_children: StrictBool | None = None
    video_sharing_enabled: StrictBool | None = None
    video_sharing_options: StrictStr | None = None
    video_sharing_doc_url: StrictStr | None = None
    edited_on: StrictStr | None = None
    published: StrictBool | None = None
    published_on: StrictStr | None = None
    studio_url: StrictStr | None = None
    released_to_students: StrictBool | None = None
    release_date: StrictStr | None = None
    visibility_state: StrictStr | None = None
    has_explicit_staff_lock: StrictBool | None = None
    start: StrictStr | None = None
    graded: StrictBool | None = None
    due_date: StrictStr | None = None
    due: StrictStr | None = None
    relative_weeks_due: StrictInt | None = None
    format: StrictStr | None = None
    course_graders: list[JsonValue] | None = None
    actions: dict[str, JsonValue] | None = None
    explanatory_message: StrictStr | None = None
    group_access: dict[str, JsonValue] | None = None
    user_partitions: list[JsonValue] | None = None
    show_correctness: StrictStr | None = None
    discussion_enabled: StrictBool | None = None
    ancestor_has_staff_lock: StrictBool | None = None
    user_partition_info: dict[str, JsonValue] | None = None
    summary_configuration_enabled: StrictBool | None = None


class CreatedBlock(BaseModel):
    """Where the new block is."""

    locator: str
    course_key: str = Field(alias="courseKey")
    id: str | None = Field(default=None, description="The key of 2012")
