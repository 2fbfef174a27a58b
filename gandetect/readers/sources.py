"""What pictures a source holds; nothing of them is read yet.

* A folder: all pictures in it and below it, in the order of their names. Names that begin with a dot are passed over,
  and links to folders are not followed. In the layout of MVTec AD [1]_, where ``train``, ``validation``, ``test`` and
  ``ground_truth`` are the only folders, the part ``train`` is ``train/good``, and the part ``test`` is all of
  ``test/KIND``. So it is for every folder in that layout, also inside of others.
* One picture, told by its suffix.
* A list: a ``.txt`` file, or a stream, of UTF-8 text with one path on each line, or a NUL byte after each, as
  ``find -print0`` writes them; relative ones start at the working folder.
* An array file: ``.npy`` or ``.npz``, see `gandetect.readers.arrays`.

.. [1] P. Bergmann, M. Fauser, D. Sattlegger, C. Steger, "MVTec AD: a comprehensive real-world dataset for unsupervised
   anomaly detection", CVPR 2019.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from gandetect.errors import FileAccessError, InputError
from gandetect.readers import arrays, pictures
from gandetect.readers.arrays import PictureArray, find_array
from gandetect.readers.files import open_blocks, open_file, read_line, source_name

LIST_SUFFIX = ".txt"
"""Suffix, in lower case, of a file that lists pictures."""

NORMAL = "good"
"""Folder of normal pictures in MVTec AD's layout."""

Source: TypeAlias = str | os.PathLike[str] | BinaryIO | Sequence[str | os.PathLike[str]]
Part: TypeAlias = Literal["train", "test"]

NO_TRAINING = frozenset({"test", "ground_truth"})
"""Folders of MVTec AD's layout that hold anomalies and masks."""

_LAYOUT = NO_TRAINING | {"train", "validation"}


@dataclass(frozen=True)
class Entry:
    """One picture of a source.

    Parameters
    ----------
    name : str
        What messages and answers call it: its path inside the folder, its path as listed, or ``FILE[NUMBER]``.
    folder : str
        The folder below the part of the source that is read, such as ``crack`` for ``test/crack/7.png``; else empty.
    path : Path
        The file that holds it.
    """

    name: str
    folder: str
    path: Path

    @property
    def product(self) -> str:
        """Name of the first folder below the source, or of the one that holds the file: what images are given."""
        return self.folder.partition("/")[0] or _text(self.path.parent.absolute().name)


@dataclass(frozen=True)
class Listing:
    """The pictures of a source.

    Parameters
    ----------
    files : sequence of Entry
        Those that are files of their own, readable or not.
    array : PictureArray or None
        What holds all of them, where there are no such files.
    unreadable : dict of str to str
        Folders that cannot be looked into, each with a sentence that says why.
    n_passed_over : int
        Files of a folder that are not taken for pictures.
    """

    files: Sequence[Entry] = ()
    array: PictureArray | None = None
    unreadable: dict[str, str] = field(default_factory=dict)
    n_passed_over: int = 0

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.files) if self.array is None else self.array.shape[0]

    def __iter__(self) -> Iterator[Entry]:
        """Give the pictures in order."""
        if self.array is None:
            return iter(self.files)
        path = Path(self.array.path)
        return (Entry(f"{_text(path.name)}[{position}]", "", path) for position in range(len(self)))


def is_image_source(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path names pictures and no table: a folder, a picture, an array file, or a list of pictures."""
    suffix = Path(path).suffix.lower()
    if suffix != LIST_SUFFIX:
        return os.path.isdir(path) or suffix in pictures.SUFFIXES | arrays.SUFFIXES
    try:
        with open_blocks(path) as blocks:
            return names_picture(b"".join(block.data for block in islice(blocks, 1)))
    except (FileAccessError, InputError):  # reading it will say so
        return False


def names_picture(start: bytes) -> bool:
    """Tell whether the first line of a text, or what is before a NUL byte, names a picture and is no table's header."""
    first = re.split(rb"[\0\r\n]", start, maxsplit=1)[0].decode("utf-8", "replace")
    return Path(first).suffix.lower() in pictures.SUFFIXES and not any(mark in first for mark in ",;\t")


def read_list(source: str | os.PathLike[str] | BinaryIO) -> list[str]:
    """Return the paths in a list, one on each line or with a NUL byte after each.

    Raises
    ------
    FileAccessError
        If it cannot be opened or read.
    InputError
        If it is no UTF-8 text, or empty.
    """
    with open_blocks(source) as blocks:
        data = b"".join(block.data for block in blocks)
    called = _text(source_name(source))
    lines = data.split(b"\0") if b"\0" in data else data.splitlines()
    names = [name for number, line in enumerate(lines, 1) if (name := read_line(line, called, number))]
    if not names:
        raise InputError(
            f"{called}: expected names of pictures, one on each line, found none; check what wrote the list."
        )
    return names


def name_of(source: Source) -> str:
    """Return what messages call a source."""
    if isinstance(source, Sequence) and not isinstance(source, str):
        return "the list of pictures"
    return _text(source_name(source))


def list_images(source: Source, part: Part | None = None) -> Listing:
    """Find the pictures of a source.

    Parameters
    ----------
    source : path, binary stream or sequence of paths
        A folder, a picture, a list of pictures, or an array file.
    part : {"train", "test"}, optional
        Which part of a folder in MVTec AD's layout is wanted; other folders have no parts.

    Returns
    -------
    Listing
        Possibly of nothing.

    Raises
    ------
    FileAccessError
        If the source cannot be opened.
    InputError
        If it is no such source.
    """
    if not isinstance(source, str | os.PathLike):
        return _list_files(source if isinstance(source, Sequence) else read_list(source))
    path = Path(source)
    suffix = path.suffix.lower()
    if os.path.isdir(path):
        return _list_folder(path, part)
    if suffix in arrays.SUFFIXES:
        return Listing(array=find_array(path))
    if suffix in pictures.SUFFIXES:
        open_file(path).close()  # that it cannot be opened is the source's error, and no broken picture among others
        return _list_files([path])
    if suffix == LIST_SUFFIX:
        return _list_files(read_list(path))
    if not os.path.lexists(path):
        raise FileAccessError(f"{_text(source)}: expected a folder or a file of pictures, found none; check the path.")
    raise InputError(
        f"{_text(source)}: expected a folder, a picture, an array (.npy, .npz) or a list of names ({LIST_SUFFIX}), "
        "found none of these; name a folder."
    )


def _list_folder(folder: Path, part: Part | None) -> Listing:
    base, root = _part_of(folder, part)
    unreadable: dict[str, str] = {}
    entries, n_passed_over = [], 0

    def remember(error: OSError) -> None:
        name = _text(error.filename)
        unreadable[name] = (
            f"{name}: expected a folder to look into, found an error ({error.strerror}); check its permissions."
        )

    for parent, folders, files in os.walk(root, onerror=remember):
        folders[:] = _wanted(Path(parent), _shown(folders), part)
        for path in (Path(parent, file) for file in _shown(files)):
            if path.suffix.lower() in pictures.SUFFIXES:
                below = path.parent.relative_to(base).as_posix()
                name = _text(path.relative_to(folder).as_posix())
                entries.append(Entry(name, "" if below == "." else _text(below), path))
            else:
                n_passed_over += 1
    return Listing(sorted(entries, key=lambda entry: entry.name), None, unreadable, n_passed_over)


def _part_of(folder: Path, part: Part | None) -> tuple[Path, Path]:
    """Return the folder of a part, and the one in it whose pictures are wanted."""
    if part is None or not _has_parts(folder) or not os.path.isdir(folder / part):
        return folder, folder
    base = folder / part
    return base, base / NORMAL if part == "train" and os.path.isdir(base / NORMAL) else base


def _wanted(parent: Path, folders: list[str], part: Part | None) -> list[str]:
    """Return the folders to look into: of one in MVTec AD's layout that of the part."""
    if part is None or part not in folders or not _has_parts(parent):
        return folders
    return [f"{part}/{NORMAL}"] if part == "train" and os.path.isdir(parent / part / NORMAL) else [part]


def _has_parts(folder: Path) -> bool:
    """Tell whether nothing but the parts of MVTec AD's layout could hold pictures."""
    try:
        inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:  # listing the folder will say so
        return False
    others = [path for path in inside if path.name not in _LAYOUT]
    return not any(os.path.isdir(path) or path.suffix.lower() in pictures.SUFFIXES for path in others)


def _list_files(names: Iterable[str | os.PathLike[str]]) -> Listing:
    return Listing([Entry(_text(name), "", Path(name)) for name in names])


def _shown(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith(".")]


def _text(name: str | os.PathLike[str]) -> str:
    """Return a file's name as text, also where its bytes are none."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
