"""Which methods a figure in the text shows, and which the one in the appendix."""

from support.result_files import loaded, scored

from clbench.reporting.figures.choice import leading, rest
from clbench.reporting.figures.gallery import gallery

SCORES = {
    "ncm": 0.9, "slda": 0.88, "ranpac": 0.87, "fecam": 0.86, "knn": 0.85, "acil": 0.84, "air": 0.83,
    "ewc-frozen": 0.5, "si-frozen": 0.4, "replay-frozen": 0.3, "finetune-frozen": 0.2, "owm-frozen": 0.1,
}  # fmt: skip


def frame(tmp_path, scores=None):
    runs = [scored("alpha", method, [score]) for method, score in (scores or SCORES).items()]
    joint = [
        scored("alpha", f"finetune-{how}-joint", [score], joint=True)
        for how, score in (("a", 0.7), ("b", 0.6))
    ]
    return loaded(tmp_path, *runs, *joint)


def test_the_best_of_each_family_comes_before_the_second_of_any(tmp_path):
    every = frame(tmp_path)
    shown = set(leading(every)["method"])
    families = {"ncm", "ewc-frozen", "replay-frozen", "finetune-frozen", "owm-frozen", "finetune-a-joint"}
    assert shown == families | {"slda", "ranpac"}  # eight; the others are the next best
    assert shown | set(rest(every)["method"]) == set(every["method"])
    assert not shown & set(rest(every)["method"])


def test_another_baseline_comes_before_a_second_form_and_a_model_per_experience_is_left_out(tmp_path):
    others = [
        scored("alpha", "ncm-metric=euclidean", [0.89]),
        scored("alpha", "finetune-frozen-single", [0.99], single=True),
    ]
    runs = [scored("alpha", method, [score]) for method, score in SCORES.items()]
    shown = set(leading(loaded(tmp_path, *runs, *others), most=6)["method"])
    assert shown == {"ncm", "ewc-frozen", "replay-frozen", "finetune-frozen", "owm-frozen", "slda"}


def test_few_methods_are_all_shown_and_have_no_appendix(tmp_path):
    few = frame(tmp_path, {"ncm": 0.9, "slda": 0.8})
    assert set(leading(few)["method"]) == set(few["method"])
    assert rest(few).empty
    assert not any("appendix" in name for name, _ in gallery(few))


def test_the_least_behind_over_scenarios_is_the_best_of_its_family(tmp_path):
    scores = {"ncm": (0.9, 0.1), "slda": (0.8, 0.7)}
    runs = [
        scored(scenario, method, [score])
        for method, both in scores.items()
        for scenario, score in zip(("alpha", "beta"), both, strict=True)
    ]
    others = [
        scored(each, method, [0.05]) for each in ("alpha", "beta") for method in ("ewc-frozen", "si-frozen")
    ]
    shown = set(leading(loaded(tmp_path, *runs, *others), most=2)["method"])
    assert "slda" in shown
    assert "ncm" not in shown
