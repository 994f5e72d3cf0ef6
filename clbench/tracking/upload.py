"""What a run logs: the same, whether it is logged while it happens or from its finished file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.core.result import RunResult
from clbench.reporting.figures.canvas import drawing, save
from clbench.reporting.figures.gallery import gallery
from clbench.reporting.figures.matrices import accuracy_matrix_figure
from clbench.reporting.load import load_results
from clbench.tracking import content, names

if TYPE_CHECKING:
    import wandb


def log_stage(run: wandb.Run, result: RunResult, stage: int) -> None:
    """Logs what was measured after one stage, from 0."""
    run.log(content.row(result, stage))


def log_end(run: wandb.Run, result: RunResult, path: Path) -> None:
    """Logs what a run has at its end, but does not close it.

    A finished run has its matrix as a table and an image, and an artifact with its result file and plots.
    One that failed has the matrix as far as it came, and its file.

    Args:
        run: Open.
        result: Its result.
        path: The result file.
    """
    import wandb

    with tempfile.TemporaryDirectory(
        prefix="clbench-wandb-"
    ) as folder:  # the library copies what it is given
        columns, lines = content.matrix(result)
        if lines:
            media: dict[str, Any] = {names.MATRIX_TABLE: wandb.Table(columns=[*columns], data=[*lines])}
            if result.status == "done" and result.accuracy:
                media[names.MATRIX_IMAGE] = wandb.Image(str(_matrix_image(path, Path(folder))))
            run.log(media)
        run.summary.update(content.summary(result))
        artifact = wandb.Artifact(
            f"result-{run.id}", type="result", description=names.run_name(result.config)
        )
        artifact.add_file(str(path), name=path.name)
        if result.status == "done":
            for plot in _plots(path, Path(folder)):
                artifact.add_file(str(plot), name=f"plots/{plot.name}")
        run.log_artifact(artifact)


def _matrix_image(path: Path, folder: Path) -> Path:
    """The accuracy matrix as a bitmap: the service shows no other images."""
    image = folder / "matrix.png"
    with drawing():
        accuracy_matrix_figure(load_results([path])).savefig(image, dpi=150)
    return image


def _plots(path: Path, folder: Path) -> Iterator[Path]:
    for name, figure in gallery(load_results([path])):
        yield from (each for each in save(figure, folder / name) if each.suffix == ".svg")
