"""Writes the `.env` that compose.yaml needs: new keys and passwords, for the owner only. Never overwrites one."""

import json
import secrets
import sys
from pathlib import Path

from joserfc.jwk import OKPKey, RSAKey

TARGET = Path(__file__).with_name(".env")


def main() -> int:
    internal = OKPKey.generate_key("Ed25519")
    values = {
        "LECTERN_POSTGRES_PASSWORD": secrets.token_hex(24),
        "LECTERN_RABBITMQ_PASSWORD": secrets.token_hex(24),
        "LECTERN_INTERNAL_PRIVATE_KEY": json.dumps(internal.as_dict(private=True)),
        "LECTERN_INTERNAL_PUBLIC_KEY": json.dumps(internal.as_dict(private=False)),
        "LECTERN_TOKEN_PRIVATE_KEY": json.dumps(RSAKey.generate_key(2048).as_dict(private=True)),
        "LECTERN_TOKEN_PEPPER": secrets.token_urlsafe(32),
        "LECTERN_ADMIN_CLIENT_ID": f"lectern-{secrets.token_hex(6)}",
        "LECTERN_ADMIN_CLIENT_SECRET": secrets.token_urlsafe(32),
    }
    try:
        TARGET.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        print(f"{TARGET} is there already; remove it first if you want new keys", file=sys.stderr)
        return 1
    TARGET.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
    print(f"{TARGET}: client {values['LECTERN_ADMIN_CLIENT_ID']}, its secret and all keys are inside")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
