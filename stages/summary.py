"""Prints the headline figures of a run and where its report and model are."""

import stages
from lipseg.data.tables import read_json
from lipseg.evaluation.runs import SYSTEMS

_OF_SOURCES = ("mouth_f1", "lips_f1", "inner_f1", "lips_f1_aligned", "right", "down")
_COLUMNS = ("nme", "contour", "mouth_f1", "lips_f1", "inner_f1")


def main() -> None:
    at = stages.paths(__doc__, metrics="JSON file of the headline figures", report="the page", model="the model folder")
    figures = read_json(at.metrics)
    print(f"{'test faces':<26}" + "".join(f"{name:>10}" for name in _COLUMNS))
    for boxes in ("jittered", "exact"):
        for system in SYSTEMS:
            shown = (_shown(name, figures[boxes][system][name]) for name in _COLUMNS)
            print(f"{boxes + ' boxes, ' + system:<26}" + "".join(f"{text:>10}" for text in shown))
    sources = figures["sources"]
    if len(sources) > 1:
        print(f"\n{'cascade, jittered boxes':<26}" + "".join(f"{name:>16}" for name in _OF_SOURCES))
        for source, part in sources.items():
            shown = (_shown(name, part["cascade"][name]) for name in _OF_SOURCES)
            called = f"{source}, {part['faces']} faces"
            print(f"{called:<26}" + "".join(f"{text:>16}" for text in shown))
        print()
    mixture = figures["mixture"]
    print("mixture: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in mixture.items()))
    print(f"model:   {at.model}\nreport:  {at.report.resolve()}")


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if "f1" in name else f"{value:.2%}"


if __name__ == "__main__":
    stages.run(main)
