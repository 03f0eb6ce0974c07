"""The errors that a user can cause, each a single line that names the culprit and the remedy."""

import reprlib


def printable(text: str) -> str:
    """Returns a text with the escapes (``\\x1b``) of what does not print.

    That is whatever commands a terminal, line ends, direction marks, and bytes of file names that are no text.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def one_line(text: str) -> str:
    """Returns a text as one line that is safe to print, whatever names it holds; runs of white space become a blank."""
    return printable(" ".join(text.split()))


def in_brief(error: BaseException, most: int = 200) -> str:
    """Returns what an error says as one line of at most so many characters, for the message of another."""
    return " ".join(str(error).split())[:most]


def shown(value: object, most: int = 80) -> str:
    """Returns how Python writes a value, cut off where it is longer than ``most`` characters: for messages.

    Of a value that refers to itself over and over, as YAML's can, no more than that is written.
    """
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = most
    brief.maxlevel, brief.maxlist, brief.maxtuple, brief.maxdict = 3, 12, 12, 6
    try:
        text = brief.repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        text = f"a {type(value).__name__} of very many digits"
    return text if len(text) <= 3 * most else f"{text[: 3 * most]}..."


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


class WorkerError(LipsegError):
    """A worker process was killed. Names what may keep it alive."""


class MissingLibraryError(LipsegError):
    """A library that only some installations have is needed. Names the command that installs it."""
