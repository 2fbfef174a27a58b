"""The few kinds of error that gandetect raises; each message is one sentence: expected, found, what to do."""


class GandetectError(Exception):
    """Base of every error that gandetect raises on purpose."""


class InputError(GandetectError, ValueError):
    """The data or an argument cannot be used as given."""


class ModelFileError(GandetectError, ValueError):
    """A model file is not one of ours, is damaged, or needs a newer gandetect."""


class FileAccessError(GandetectError, OSError):
    """A file cannot be opened, read or written."""


class MissingExtraError(GandetectError, ImportError):
    """An optional package is not installed; the message holds the command that installs it."""
