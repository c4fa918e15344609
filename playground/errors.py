"""Errors whose message is shown to the person: what happened, the offending value, what to do."""

import errno


def is_full(err: BaseException) -> bool:
    """Whether the disk, or this person's share of it, is full."""
    return isinstance(err, OSError) and err.errno in (errno.ENOSPC, errno.EDQUOT)


class PlaygroundError(Exception):
    """Base of all errors with a message meant for the page or the terminal."""


class InputError(PlaygroundError, ValueError):
    """What the person typed or chose can't be used as it is."""


class DataError(InputError):
    """An uploaded file or one of its rows can't be read or used."""


class DamagedCheckpoint(DataError):
    """The state of a training on disk is not what was written; the training can only begin anew."""


class AdapterError(PlaygroundError):
    """An adapter is missing, broken, tampered with, or made for another backbone."""


class AccessError(PlaygroundError):
    """The person may not do this here."""


class BackboneError(PlaygroundError):
    """A backbone can't be found, converted, verified or can't do a task."""


class NotReadyError(PlaygroundError):
    """The backbone is still being prepared; the message says how far it is."""


class BusyError(PlaygroundError):
    """The waiting line is full; try again later."""


class QuotaError(PlaygroundError):
    """More would be stored than the limit allows."""


class Paused(PlaygroundError):
    """The work was interrupted on request and can go on later; the message says how."""


class Cancelled(PlaygroundError):
    """The work was stopped on request."""
