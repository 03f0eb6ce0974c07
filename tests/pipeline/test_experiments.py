"""DVC as its users expect it: experiments, and the differences and plots that they look at afterwards."""

import json
import re
from itertools import pairwise

import pytest
import yaml

from .conftest import STAGES, Project

pytestmark = pytest.mark.slow


def test_an_experiment_changes_one_parameter(copied: Project) -> None:
    done = copied.dvc("exp", "run", "--name", "narrow", "--set-param", "cluster.pca=2")
    assert "narrow" in done.stdout
    for stage in ("synthesize", "crop", "statistics", "teach", "train_base", "extract", "detect", "locate"):
        assert f"Running stage '{stage}'" not in done.stdout
    for stage in ("cluster", "finetune", "conventions", "export", "calibrate", "evaluate", "report", "bundle"):
        assert f"Running stage '{stage}'" in done.stdout

    changed = json.loads(copied.dvc("params", "diff", "--json").stdout)
    assert changed == {"params.yaml": {"cluster.pca": {"old": 3, "new": 2, "diff": -1}}}
    # dvc rewrites the file; the package still reads it and dvc still calls it all done.
    assert copied.params()["cluster"]["covariances"] == ["full", "diag"]
    assert copied.repro() == []

    differing = json.loads(copied.dvc("metrics", "diff", "--all", "--json").stdout)["reports/metrics.json"]
    assert "mixture.components" in differing
    assert differing["jittered.base.nme"]["old"] == differing["jittered.base.nme"]["new"]
    listed = copied.dvc("exp", "show", "--csv", "--no-pager").stdout
    assert "narrow" in listed


def test_a_misspelt_parameter_is_refused(copied: Project) -> None:
    done = copied.dvc("exp", "run", "--set-param", "cluster.max_komponents=3", check=False)
    assert done.returncode != 0
    assert "max_komponents" in done.stderr
    assert copied.git("status", "--porcelain") == ""


def test_the_graph_reads_like_the_method(finished: Project) -> None:
    graph = finished.dvc("dag", "--mermaid").stdout
    names = dict(re.findall(r'(node\d+)\["(.+?)"\]', graph))
    assert set(names.values()) == set(STAGES)
    edges = {(names[a], names[b]) for a, b in re.findall(r"(node\d+)-->(node\d+)", graph)}
    chain = ["synthesize", "crop", "statistics", "train_base", "extract", "cluster", "finetune", "conventions"]
    chain += ["export", "calibrate", "evaluate", "report"]
    assert set(pairwise(chain)) <= edges
    assert ("evaluate", "bundle") in edges
    assert all(STAGES.index(a) < STAGES.index(b) for a, b in edges), "a stage stands before one that it needs"
    assert not [edge for edge in edges if edge[0] in ("report", "bundle")]


def test_plots_show_the_curves(copied: Project) -> None:
    plots = yaml.safe_load((copied.root / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
    listed = json.dumps(plots)
    for file in ("data/base/history.csv", "reports/results/ced.csv", "data/mixture/selection.csv"):
        assert file in listed
    copied.dvc("plots", "show", "--out", "shown")
    page = (copied.root / "shown/index.html").read_text(encoding="utf-8")
    assert page.count("vegaEmbed(") >= len(plots)
    specs = json.loads(copied.dvc("plots", "show", "--json", "--split", "--out", "split").stdout)
    assert not specs.get("errors"), specs["errors"]
    for name, shown in specs["data"].items():
        assert shown, name
        for plot in shown:
            points = next(iter(plot["anchor_definitions"].values())) if "anchor_definitions" in plot else plot
            assert points, f"the plot {name} is empty"
