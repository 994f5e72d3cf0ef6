"""What the contract is checked with: arguments and learning rates of each method on the small streams."""

from clbench.engine.registry import baseline_class, baseline_names
from clbench.testing.streams import SCENARIOS

ARGUMENTS = {
    "dkvb": {"heads": 4, "keys": 64, "init_batch_size": 8},
    **{name: {"dimensions": 100} for name in ("ranpac", "acil", "air", "loranpac")},
}
# Larger learning rates than the methods' own learn in fewer epochs.
SLOW = {
    "full": {"lr": 1e-3, "epochs": 8},
    "frozen": {"epochs": 8},
    "adapter": {"lr": 1e-2, "epochs": 8},
    "lora": {"lr": 1e-2, "epochs": 8},
    "prompt": {"lr": 3e-2, "epochs": 8},
}
FAST = {
    "full": {"lr": 3e-3, "epochs": 4},
    "frozen": {"epochs": 8},
    "adapter": {"lr": 3e-2, "epochs": 4},
    "lora": {"lr": 3e-2, "epochs": 4},
    "prompt": {"lr": 5e-2, "epochs": 8},
}
OWN = {
    ("owm", "full"): {"lr": 0.05, "epochs": 8},
    ("owm", "adapter"): {"lr": 0.2, "epochs": 8},
    ("owm", "lora"): {"lr": 0.1, "epochs": 8},
    # At first it holds on to the logits of early steps.
    ("der", "full"): {"lr": 3e-3, "epochs": 8},
    ("der", "adapter"): {"lr": 5e-3, "epochs": 16},
    ("agem", "full"): {"lr": 0.05, "epochs": 8},
    ("agem", "frozen"): {"lr": 1.0, "epochs": 8},
    ("agem", "adapter"): {"lr": 0.2, "epochs": 8},
    ("agem", "lora"): {"lr": 0.1, "epochs": 8},
    ("agem", "prompt"): {"lr": 1.0, "epochs": 8},
    # Gates open and shut over an epoch: it takes more of them.
    ("hat", "frozen"): {"lr": 0.05, "epochs": 20},
    ("hat", "adapter"): {"lr": 0.2, "epochs": 20},
    **{
        (name, "adapter"): {"lr": 1e-2, "epochs": 8, "adapter_size": 64}
        for name in ("adapterhat", "bcl", "ctr", "classic")
    },
    ("l2p", "prompt"): {"lr": 3e-2, "epochs": 12},
    ("olora", "lora"): {"lr": 1e-2, "epochs": 8},
    ("osf", "full"): {"lr": 1e-2, "epochs": 8},
}
METHODS = sorted(
    name for name in baseline_names() if "classification" in baseline_class(name).info.tasks
)  # those of language models: tests/methods/language
MATRIX = [
    (name, tuning, kind)
    for name in METHODS
    for tuning in baseline_class(name).info.tunings
    for kind in SCENARIOS
]


def default(name):
    return baseline_class(name).info.tunings[0]


CHECKED = [case for case in MATRIX if case[2] == "class" or case[1] == default(case[0])]
KINDS = [kind for kind in SCENARIOS if kind != "class"]
# Each other tuning in one more kind, in turn: every method meets every kind, and every tuning too.
OTHERS = [
    (name, tuning, KINDS[at % len(KINDS)])
    for at, (name, tuning) in enumerate(
        (name, tuning) for name in METHODS for tuning in baseline_class(name).info.tunings[1:]
    )
]
STOPPED = [(name, default(name), "class") for name in METHODS]


def options(name, tuning, kind, learning):
    learning = OWN.get((name, tuning), learning[tuning])
    return {"kind": kind, "tuning": tuning, "arguments": ARGUMENTS.get(name), **learning}
