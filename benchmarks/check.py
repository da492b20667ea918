"""What `fggm-lab check` and the comparison at the start of scoring cost ÷ scoring 128 examples."""

from benchmarks.harness import Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from benchmarks.models import Shape, make_examples, make_model, shapes, word_tokenizer
from fggm_lab.evaluation import check_model
from fggm_lab.fisher import fisher_scores
from fggm_lab.fisher.objectives import data_likelihood
from fggm_lab.fisher.per_example import PerExampleFisher
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.models import collate, encode, unit_axes

QUICK = [Shape("llama", 256, 128), Shape("qwen2", 256, 128, groups=2)]
FULL = [*QUICK, Shape("llama", 512, 128)]
LIMIT = 0.03
EXAMPLES = {"tiny": 4, "quick": 128, "full": 128}
PROBES = {
    "check": "check_model ÷ scoring 128 examples",
    "rules": "comparing every rule with autograd ÷ scoring 128 examples",
}


def run(settings: Settings) -> Report:
    """One row per shape."""
    rows = [measure(shape, settings) for shape in shapes(settings, QUICK, FULL)]
    columns = [
        Column("family", "model"),
        Column("hidden", "hidden", "d"),
        Column("length", "length", "d"),
        Column("examples", "examples", "d"),
        Column("scoring_s", "scoring s", ".2f"),
        Column("check_ratio", "check ÷", ".3f"),
        Column("rules_ratio", "rules ÷", ".3f"),
    ]
    targets = [
        Target(what, max(row[f"{name}_ratio"] for row in rows), LIMIT)
        for name, what in PROBES.items()
    ]
    return Report("Probing a model, beside scoring it", columns, rows, targets)


def measure(shape: Shape, settings: Settings) -> Row:
    """Both probes and the scoring of one shape."""
    model, tokenizer = make_model(shape, settings), word_tokenizer(shape)
    examples = make_examples(shape, EXAMPLES[settings.size])
    parameters = dict(model.named_parameters())
    shortest = encode(tokenizer, examples[:1], shape.length)
    batch = {name: tensor.to(model.device) for name, tensor in collate(shortest, 0).items()}

    def compare_rules() -> None:
        sums = SquareSums(parameters, unit_axes(model), False)
        PerExampleFisher(model, data_likelihood(model), sums).check(batch)

    timings = side_by_side(
        {
            "scoring": lambda: fisher_scores(model, tokenizer, examples, batch_size=shape.batch),
            "check": lambda: check_model(model, tokenizer),
            "rules": compare_rules,
        },
        settings,
    )
    return {
        **shape.row,
        "examples": len(examples),
        "scoring_s": timings["scoring"].median,
        **{f"{name}_ratio": ratio(timings[name], timings["scoring"]) for name in PROBES},
        "raw": raw(timings),
    }
