"""Short ids of sessions, for servers that give none."""

import os


def generate_session_short_id() -> str:
    """8 lower-case hex digits, not all zero."""
    while True:
        made = os.urandom(4).hex()
        if made != "00000000":
            return made
