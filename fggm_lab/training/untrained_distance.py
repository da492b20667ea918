"""How far a model has come from the untrained one, measured after each task of a run."""

import math
import warnings
from collections.abc import Callable

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import RunError
from fggm_lab.evaluation import kl_per_token
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.models.sampling import own_samples
from fggm_lab.runs import RunConfig
from fggm_lab.runs.events import MeasuredDistance
from fggm_lab.seeds import derived_seed
from fggm_lab.tasks import Task

SAMPLE_LENGTH = 64
"""The most tokens of a text on which the distance is measured."""


class UntrainedDistance:
    """Measures KL(untrained ‖ model) on texts of the untrained model and on a task's answers."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, config: RunConfig
    ) -> None:
        """No text is drawn yet.

        Args:
            model: in training.
            tokenizer: the model's.
            config: of the run; `distance_samples` says how many texts.
        """
        self._model, self._tokenizer, self._config = model, tokenizer, config
        self._samples: list[Encoded] | None = None

    def measure(
        self, load_untrained: Callable[[], PreTrainedModel], task: Task
    ) -> MeasuredDistance | None:
        """Measure it now that a task is learned.

        Args:
            load_untrained: gives the untrained model.
            task: that was learned.

        Returns:
            Both distances, nats per token; None, with a warning, where the untrained model cannot
            be read, and where they are not finite.
        """
        try:
            base = load_untrained().to(self._model.device)
        except RunError as problem:
            warnings.warn(f"the distance is not measured: {problem}", stacklevel=2)
            return None
        distance = self._between(base, task)
        if not all(math.isfinite(distance[on]) for on in ("own_samples", "new_task")):
            warnings.warn("the distance is not a finite number, and is left out", stacklevel=2)
            return None
        return distance

    def _between(self, base: PreTrainedModel, task: Task) -> MeasuredDistance:
        """Both distances from the untrained model, on the device of the trained one."""
        settings, pad = self._config.training, self._tokenizer.pad_token_id
        if self._samples is None:
            self._samples = own_samples(
                base,
                self._tokenizer,
                settings.distance_samples,
                length=min(SAMPLE_LENGTH, self._config.max_length - 1),
                seed=derived_seed(settings.seed, 0, "distance"),
            )
        examples = task.split(settings.split)[: settings.distance_samples]
        answers = encode(self._tokenizer, examples, self._config.max_length)
        return MeasuredDistance(
            own_samples=kl_per_token(base, self._model, self._samples, pad=pad),
            new_task=kl_per_token(base, self._model, answers, pad=pad),
        )
