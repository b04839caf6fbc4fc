"""What can't be read as HTTP, whichever side sent it."""


class MalformedMessage(Exception):
    """Its text is a sentence for people."""
