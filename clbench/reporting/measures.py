"""What a comparison can show: the measured columns, their units and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clbench.core.errors import unknown
from clbench.core.types import Task
from clbench.reporting.formatting import Unit

CLASSES: Task = "classification"
TOKENS: Task = "language-model"


@dataclass(frozen=True)
class Measure:
    """One measured column of the comparison.

    Attributes:
        name: The column of the comparison, and with ``_low``, ``_high`` and so on those about it.
        source: The column of the loaded results.
        heading: What stands over it in a rendered table.
        unit: How it is rendered: shares as %, and so on.
        better: Which values are; without it no method is best in this column.
        shown: Whether readers see it in each table, in those where some method has more than 0 of it, or
            only where it is asked for. All measures are in the CSV file.
        definition: One line under the table.
        task: The runs that have it; None: all.
    """

    name: str
    source: str
    heading: str
    unit: Unit
    better: Literal["higher", "lower"] | None
    shown: Literal["always", "filled", "chosen"]
    definition: str
    task: Task | None = None


# One entry of a few lines per measure.
# fmt: off
MEASURES = (
    Measure("average_accuracy", "metrics.average_accuracy", "Average accuracy (%)", "share", "higher",
            "always", "mean over i of R[T, i].", CLASSES),
    Measure("stream_accuracy", "stream_accuracy_last", "Stream accuracy (%)", "share", "higher", "always",
            "accuracy on the union of all test texts after the last stage.", CLASSES),
    Measure("macro_f1", "metrics.macro_f1", "Macro-F1 (%)", "share", "higher", "always",
            "macro-F1 after the last stage: on single-head streams over all classes on the union of all test "
            "texts, elsewhere the mean over experiences.", CLASSES),
    Measure("learning_accuracy", "metrics.learning_accuracy", "Learning accuracy (%)", "share", "higher",
            "always", "mean over i of R[i, i].", CLASSES),
    Measure("forgetting", "metrics.forgetting", "Forgetting (%)", "share", "lower", "always",
            "mean over i < T of (max over i <= t < T of R[t, i]) - R[T, i]; lower is better, can be "
            "negative.", CLASSES),
    Measure("bwt", "metrics.bwt", "BWT (%)", "share", "higher", "always",
            "mean over i < T of R[T, i] - R[i, i].", CLASSES),
    Measure("anytime_average_accuracy", "metrics.anytime_average_accuracy", "Anytime accuracy (%)", "share",
            "higher", "chosen", "mean over t of (mean over i <= t of R[t, i]).", CLASSES),
    Measure("fwt", "metrics.fwt", "FWT (%)", "share", "higher", "chosen",
            "mean over i > 1 of R[i-1, i] minus the accuracy on i of the untrained learner.", CLASSES),
    Measure("average_bits_per_byte", "metrics.average_bits_per_byte", "Bits per byte", "bits", "lower",
            "always", "mean over i of R[T, i], R in bits per byte of UTF-8; lower is better.", TOKENS),
    Measure("learning_bits_per_byte", "metrics.learning_bits_per_byte", "Learning (bits)", "bits", "lower",
            "always", "mean over i of R[i, i]; lower is better.", TOKENS),
    Measure("forgetting_bits", "metrics.forgetting_bits", "Forgetting (bits)", "bits", "lower", "always",
            "mean over i < T of R[T, i] - (min over i <= t < T of R[t, i]): the rise over the best; lower is "
            "better, can be negative.", TOKENS),
    Measure("bwt_bits", "metrics.bwt_bits", "BWT (bits)", "bits", "higher", "always",
            "mean over i < T of R[i, i] - R[T, i]: positive is a gain.", TOKENS),
    Measure("anytime_average_bits_per_byte", "metrics.anytime_average_bits_per_byte", "Anytime (bits)",
            "bits", "lower", "chosen", "mean over t of (mean over i <= t of R[t, i]).", TOKENS),
    Measure("fwt_bits", "metrics.fwt_bits", "FWT (bits)", "bits", "higher", "chosen",
            "mean over i > 1 of the untrained model's bits on i minus R[i-1, i]: positive is a gain.",
            TOKENS),
    Measure("general_bits_per_byte", "metrics.general_bits_per_byte", "General (bits)", "bits", "lower",
            "always", "general ability: bits per byte on text of no experience after the last stage.",
            TOKENS),
    Measure("general_rise_bits", "metrics.general_rise_bits", "General rise (bits)", "bits", "lower",
            "always", "the same minus that of the untrained model; negative is a gain.", TOKENS),
    Measure("rouge_l", "metrics.rouge_l", "ROUGE-L (%)", "share", "higher", "filled",
            "F1 of the longest common subsequence of words of greedy continuations of test texts and the "
            "true ones, mean over experiences.", TOKENS),
    Measure("untrained_rouge_l", "metrics.untrained_rouge_l", "Untrained ROUGE-L (%)", "share", None,
            "filled", "the same of the untrained model.", TOKENS),
    Measure("seconds_total", "costs.seconds.total", "Total (s)", "seconds", None, "always",
            "seconds of all phases: encoding, key initialization, training, consolidation, evaluation."),
    Measure("seconds_encode", "costs.seconds.encode", "Encode (s)", "seconds", None, "chosen",
            "seconds that encoding the texts took, or would have where they were on disk already."),
    Measure("seconds_train", "costs.seconds.train", "Train (s)", "seconds", None, "chosen",
            "seconds of the training steps alone."),
    Measure("seconds_per_epoch", "costs.seconds.train_per_epoch", "Epoch (s)", "seconds", None, "always",
            "seconds of training per epoch without encoding, mean over experiences."),
    Measure("flops_algorithm", "costs.flops.algorithm", "FLOPs", "amount", "lower", "filled",
            "floating-point operations of the algorithm, as if nothing were kept on disk."),
    Measure("flops_spent", "costs.flops.spent", "FLOPs spent", "amount", "lower", "chosen",
            "floating-point operations that were really carried out."),
    Measure("carried_bytes_total", "costs.carried_bytes.total", "Carried", "bytes", "lower", "always",
            "what passes from one experience to the next beyond the encoder: weights, keys, values, "
            "replay buffer, statistics."),
    Measure("carried_bytes_keys", "costs.carried_bytes.keys", "Keys", "bytes", None, "chosen",
            "bytes of keys: heads x keys per head x size of a key, times 4 in float32."),
    Measure("carried_bytes_values", "costs.carried_bytes.values", "Values", "bytes", None, "chosen",
            "bytes of values: 4 x heads x keys per head x classes (or size of a key, with a parametric "
            "decoder), or those of the selected rows alone where only these are stored."),
    Measure("peak_bytes_rss", "costs.peak_bytes.rss", "Peak memory", "bytes", "lower", "chosen",
            "the most main memory that the process held at once."),
    Measure("parameters_trainable", "costs.parameters.trainable", "Trainable", "amount", None, "chosen",
            "parameters that train."),
    Measure("parameters_changed", "costs.parameters.changed_per_step", "Changed per step", "amount", None,
            "chosen", "parameters that one step of training can change."),
    Measure("dead_keys", "diagnostics.dead_keys", "Dead keys", "count", None, "filled",
            "keys, of all heads, that no training text of the stream selects."),
    Measure("quantization_error", "diagnostics.quantization_error", "Quantization error", "ratio", None,
            "filled", "mean squared distance of queries from their key over their variance, in the last "
            "experience."),
    Measure("unselected_changed", "diagnostics.unselected_changed", "Unselected changed (%)", "share", None,
            "filled", "value rows that the last experience changed although none of its texts selects them."),
    Measure("keys_moved", "diagnostics.keys_moved", "Keys moved", "count", None, "chosen",
            "keys that the last experience moved or added."),
    Measure("selections_changed", "diagnostics.selections_changed", "Selections changed (%)", "share",
            "lower", "chosen", "of the keys that a sample of earlier texts select, those that the last move "
            "of keys changed."),
)
# fmt: on


def chosen(columns: Sequence[str]) -> tuple[Measure, ...]:
    """The measures of these names, in this order.

    Raises:
        UserError: There is no measure of some name.

    Example:
        >>> [measure.heading for measure in chosen(["bwt", "seconds_total"])]
        ['BWT (%)', 'Total (s)']
    """
    known = {measure.name: measure for measure in MEASURES}
    for name in columns:
        if name not in known:
            raise unknown("table column", name, known)
    return tuple(known[name] for name in dict.fromkeys(columns))


(ACCURACY, BITS) = chosen(["average_accuracy", "average_bits_per_byte"])
"""The measures by which methods are ranked."""
RANKED: Mapping[Task, Measure] = {CLASSES: ACCURACY, TOKENS: BITS}


def of_task(measures: Sequence[Measure], task: Task) -> list[Measure]:
    """Those that the runs of a task have."""
    return [measure for measure in measures if measure.task in (None, task)]
