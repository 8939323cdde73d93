"""Where `lectern login` keeps the address and the credentials: one file that only its owner can read."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLES = {"base_url": "LECTERN_URL", "client_id": "LECTERN_CLIENT_ID", "client_secret": "LECTERN_CLIENT_SECRET"}


class NotLoggedIn(Exception):
    """No server is known. Run `lectern login`, or set LECTERN_URL, LECTERN_CLIENT_ID and LECTERN_CLIENT_SECRET."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(frozen=True)
class Login:
    """A server and a client's credentials there."""

    base_url: str
    client_id: str
    client_secret: str


def config_file() -> Path:
    """`LECTERN_CONFIG`, else `lectern/config.json` where the user's configuration lies."""
    if named := os.environ.get("LECTERN_CONFIG"):
        return Path(named)
    root = os.environ.get("XDG_CONFIG_HOME")
    return (Path(root) if root else Path.home() / ".config") / "lectern" / "config.json"


def load_login() -> Login:
    """Environment over file, value by value. Raises `NotLoggedIn`."""
    known: dict[str, str] = {}
    path = config_file()
    if path.is_file():
        try:
            stored = json.loads(path.read_text())
        except ValueError:
            stored = {}
        if isinstance(stored, dict):
            known = {name: value for name in VARIABLES if isinstance(value := stored.get(name), str)}
    known |= {name: value for name, variable in VARIABLES.items() if (value := os.environ.get(variable))}
    if set(known) != set(VARIABLES):
        raise NotLoggedIn
    return Login(**known)


def save_login(login: Login) -> Path:
    """The file is private from its first byte on, and replaced whole."""
    path = config_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        os.fchmod(out.fileno(), 0o600)
        json.dump(asdict(login), out)
    fresh.replace(path)
    return path


def forget_login() -> bool:
    """False when there was none."""
    path = config_file()
    if not path.exists():
        return False
    path.unlink()
    return True
