"""Published figures for streams that are also here, to be read beside ours.

They are from the table in PyContinual's README (BERT-base; the setting of each column is not stated). A user
of it reports 87.72 for frozen NCL on DSC over five orders, where the table has 61.88. So each is unverified.
None is the DKVB paper's.

Their rows of a frozen encoder are not linear probes: a text CNN on its token states trains, here the option
``--head cnn``. Their "adapter HAT" has gates on both layers of adapters of 2,000 units, here ``adapterhat``.
"""

from __future__ import annotations

SOURCE = "the table of PyContinual (BERT-base), unverified"
FROZEN = (
    'Its "frozen" rows are of a text CNN on the token states of a frozen BERT, not of a linear probe: beside '
    "them stand our rows with `--head cnn` (`-frozen-cnn`)"
)

# The columns: DSC accuracy and macro-F1, 20 Newsgroups accuracy and macro-F1.
_TABLE = {
    "finetune-full-joint": (89.77, 89.28, 96.77, 96.77),
    "finetune-full-single": (87.84, 86.80, 96.49, 96.48),
    "finetune-full": (73.08, 71.81, 52.50, 39.22),
    "finetune-frozen-cnn-single": (85.34, 80.17, 96.49, 96.48),
    "finetune-frozen-cnn": (61.88, 45.79, 83.28, 81.81),
    "l2-frozen-cnn": (69.80, 62.63, 72.14, 65.39),
    "ewc-frozen-cnn": (72.77, 65.76, 80.26, 78.60),
    "agem-frozen-cnn": (70.67, 61.77, 93.31, 92.95),
    "derpp-frozen-cnn": (86.70, 85.46, 60.44, 49.67),
    "owm-frozen-cnn": (86.30, 85.36, 84.54, 82.73),
    "hat-frozen-cnn": (87.29, 86.14, 93.51, 92.93),
    "finetune-adapter-single": (88.30, 87.31, 96.20, 96.19),
    "finetune-adapter": (64.94, 63.40, 68.29, 61.70),
    "ewc-adapter": (62.69, 61.51, 61.86, 53.94),
    "owm-adapter": (85.46, 84.57, 71.10, 66.25),
    "adapterhat": (88.00, 87.26, 95.22, 95.21),
    "bcl": (79.76, 76.51, 95.07, 95.04),
    "ctr": (89.31, 88.75, 95.25, 95.23),
}
FIGURES = {
    "dsc-dil": {method: (accuracy, f1) for method, (accuracy, f1, _, _) in _TABLE.items()},
    "20ng-cil": {method: (accuracy, f1) for method, (_, _, accuracy, f1) in _TABLE.items()},
}
"""By scenario and method: average accuracy and macro-F1 after the last experience, in %."""
