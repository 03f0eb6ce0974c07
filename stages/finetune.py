"""Fits a head for every component of the mixture, and one for everything as the control."""

from dataclasses import asdict

import numpy as np

import stages
from lipseg.data.feature_set import load_features
from lipseg.data.tables import write_rows
from lipseg.evaluation.acceptance import accept_heads
from lipseg.model.parts import load_base, load_mixture, save_heads
from lipseg.params import load_params
from lipseg.training.heads import fit_heads, validation_of


def main() -> None:
    at = stages.paths(
        __doc__,
        features="npz file of the features",
        base="weights of the base network",
        mixture="weights of the mixture",
        out="weights of the heads",
        curves="CSV file of the errors at every strength of a pull",
    )
    params, features, mixture = load_params(), load_features(at.features), load_mixture(at.mixture)
    net, _ = load_base(at.base)
    fits = fit_heads(net.head, features, mixture, params.finetune, tangential=params.train_base.tangential)
    held_out = validation_of(features)
    chosen = mixture.assign(held_out.features)[0].argmax(1)
    accepted = accept_heads(net.head, held_out, chosen, fits, params.finetune.resamples, params.seed)
    write_rows(at.curves, [asdict(trial) for trial in fits.trials])
    facts = accepted.summary() | {
        "pulls": fits.pulls,
        "base_error": fits.base_error if np.isfinite(fits.base_error) else None,
    }
    save_heads(at.out, accepted.heads, fits.control, fits.projection, facts)


if __name__ == "__main__":
    stages.run(main)
