"""The one exception whose message is written for the person at the terminal."""


class ThoraxError(Exception):
    """A mistake the user can mend: the message names the file or key, what is wrong and what to do."""
