"""What the course-catalog service reads from its environment, beside what all services share."""

from common.resources import Resources
from common.settings import ServiceSettings
from course_catalog.modes.models import Mode


class Settings(ServiceSettings):
    """Each variable is listed once in the README."""

    default_mode: str = "audit"
    default_mode_name: str = "Audit"
    listing_cache_bytes: int = 64_000_000

    @property
    def course_mode(self) -> Mode:
        """What a course without modes offers."""
        return Mode(slug=self.default_mode, name=self.default_mode_name)


def settings_of(resources: Resources) -> Settings:
    """This service's own settings."""
    if not isinstance(resources.settings, Settings):
        raise TypeError(f"{type(resources.settings)} are not the settings of this service")
    return resources.settings
