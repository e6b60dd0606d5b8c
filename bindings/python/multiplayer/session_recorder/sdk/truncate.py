"""Text that is too long."""


def truncate(text: str, max_len: int) -> str:
    """The first max_len characters, with "..." where some were cut."""
    return text[:max_len] + "..." if len(text) > max_len else text
