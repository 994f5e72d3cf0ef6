"""The files of a page, put in the place of those of an earlier one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from clbench.core.io import remove_leftovers, temporary_folder, write_json

MANIFEST = "page-files.json"
"""Names the files that a report made, which the next one may therefore remove."""


@contextmanager
def replacing_pages(out: Path) -> Iterator[Path]:
    """Yields an empty folder whose files take their places in ``out`` when the block ends without an error.

    Each file is replaced as a whole. Files of an earlier report that this one does not have are removed;
    anything else in ``out`` stays.
    """
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    with temporary_folder(out) as folder:
        yield folder
        made = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        earlier = _earlier(out)
        # Should this be interrupted, the next report still knows of all files.
        write_json(out / MANIFEST, sorted({*made, *earlier}))
        for file in made:
            (out / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).replace(out / file)
        for file in set(earlier) - set(made):
            (out / file).unlink(missing_ok=True)
            if (out / file).parent != out and not any((out / file).parent.iterdir()):
                (out / file).parent.rmdir()
        write_json(out / MANIFEST, made)


def _earlier(out: Path) -> list[str]:
    """The files of an earlier report; a list that does not look like one of ours is taken for none."""
    try:
        names = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) and _ours(name) for name in names):
        return []
    return [name for name in names if (out / name).is_file()]


def _ours(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        not path.is_absolute() and ".." not in path.parts and path.suffix in (".html", ".js", ".css", ".txt")
    )
