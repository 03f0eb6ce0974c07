"""The errors that a user can cause, each a single line that names the culprit and the remedy."""


def printable(text: str) -> str:
    """Returns a text with the escapes (``\\x1b``) of what does not print.

    That is whatever commands a terminal, line ends, direction marks, and bytes of file names that are no text.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def one_line(text: str) -> str:
    """Returns a text as one line that is safe to print, whatever names it holds; runs of white space become a blank."""
    return printable(" ".join(text.split()))


class LipsegError(Exception):
    """Base of every error whose message is meant for the user; entry points print it without a traceback."""


class DataError(LipsegError):
    """An image, annotation or list of names cannot be used. Names the file and, where there is one, the line."""


class ParamsError(LipsegError):
    """A key of ``params.yaml`` is unknown, missing, badly typed or out of range. Names the key."""


class ConventionError(DataError):
    """The model knows no such source of annotations. Names those that it knows."""


class ModelError(LipsegError):
    """A model folder or artifact is missing, incomplete or does not fit the code. Names the file and the array."""


class UsageError(LipsegError):
    """What was asked for cannot be done; nothing has been done yet. Names the option or the file."""


class OutputError(LipsegError):
    """A result cannot be written. Names the file."""


class MissingLibraryError(LipsegError):
    """A library that only some installations have is needed. Names the command that installs it."""
