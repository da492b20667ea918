"""The table of model sizes is of the models that the program names, and its cells fit together."""

import json

from benchmarks.scaling import MODELS, OUT


def test_the_stored_table_is_of_the_models_of_the_program() -> None:
    record = json.loads(OUT.read_text("utf-8"))
    assert list(record["models"]) == list(MODELS)
    counts = [cells["parameters"] for cells in record["models"].values()]
    # As their makers count them, each embedding once.
    assert counts == [134_515_008, 1_543_714_304, 7_615_616_512, 70_553_706_496]
    for name, cells in record["models"].items():
        assert 2 * cells["parameters"] <= cells["weights"] < 2.001 * cells["parameters"], name
        assert cells["fggm_checkpointing"] <= cells["fggm"] < cells["sft"], name
        assert cells["weights"] < cells["fisher"] < cells["sft"], name
        # AdamW steps on weights, gradients, two moments, and their roots.
        assert cells["sft_checkpointing"] > 4.99 * cells["weights"], name
