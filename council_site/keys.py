"""The site's own secrets: from the environment, or made once on this machine for the local profile."""

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.management.utils import get_random_secret_key

from council_site.env import Env, EnvError


def secret_key(env: Env, local_dir: Path | None) -> str:
    """The key that signs sessions and links. Without ``local_dir`` it must be set."""
    given = env.secret("SECRET_KEY")
    if given is not None:
        return given
    if local_dir is None:
        raise EnvError("SECRET_KEY is not set. Set it to a long random text, or set SITE_PROFILE=local to try the site on this machine.")
    return kept_secret(local_dir / "secret_key", get_random_secret_key)


def field_encryption_keys(env: Env, local_dir: Path | None) -> list[str]:
    """The ring of Fernet keys for secrets in the database; the first encrypts. Without ``local_dir`` it must be set."""
    ring = env.secrets("FIELD_ENCRYPTION_KEYS")
    if not ring and local_dir is None:
        raise EnvError(
            "FIELD_ENCRYPTION_KEYS is not set. Make a key with: "
            'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
        )
    if not ring and local_dir is not None:
        ring = [kept_secret(local_dir / "field_encryption_key", lambda: Fernet.generate_key().decode())]
    return ring


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in the file; where there is none it is made, readable by its owner alone. Two starts at once agree on one."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(make(), "utf-8")
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            # Another start was quicker: its secret counts.
            pass
        finally:
            draft.unlink()
    return path.read_text("utf-8").strip()
