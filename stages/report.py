"""Writes the report: one self-contained HTML page."""

import stages
from lipseg.evaluation.compose import compose_report
from lipseg.evaluation.report import write_report
from lipseg.params import load_params


def main() -> None:
    at = stages.paths(
        __doc__,
        crops="folder of the crops",
        history="CSV file of the base's training",
        selection="CSV file of every mixture candidate",
        galleries="folder of the components' pictures",
        conventions="JSON file of the conventions",
        sheet="picture of faces in the sources' conventions",
        heads="weights of the heads",
        curves="CSV file of the heads' errors",
        results="folder of the full results",
        calibration="folder of the score's curves",
        export="JSON file of the export's figures",
        out="the page",
    )
    write_report(at.out, compose_report(load_params(), at))


if __name__ == "__main__":
    stages.run(main)
