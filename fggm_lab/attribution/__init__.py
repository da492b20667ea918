"""Attribution: which tokens of a prompt an answer depends on, and how that changes (captum)."""

from fggm_lab.extras import require

require("attribution", "captum")

from fggm_lab.attribution.drift import attribution_drift, drift_along
from fggm_lab.attribution.neurons import beside_fisher, neuron_conductance
from fggm_lab.attribution.stages import attribute_change
from fggm_lab.attribution.tokens import ATTRIBUTIONS, TokenAttribution, attribute_tokens
from fggm_lab.fisher.ranks import rank_correlation

__all__ = [
    "ATTRIBUTIONS",
    "TokenAttribution",
    "attribute_change",
    "attribute_tokens",
    "attribution_drift",
    "beside_fisher",
    "drift_along",
    "neuron_conductance",
    "rank_correlation",
]
