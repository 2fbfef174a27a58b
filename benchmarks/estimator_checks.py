"""Run all of scikit-learn's estimator checks on `GANDetector` with its defaults; the tests run them with few steps.

    python benchmarks/estimator_checks.py

Prints one line per check that does not pass, and a count. Takes some minutes.
"""

from __future__ import annotations

import sys
import warnings

from sklearn.utils.estimator_checks import check_estimator

from gandetect import GANDetector


def main() -> None:
    """Run the checks; exit with 1 if one does not pass."""
    warnings.simplefilter("error")
    results = check_estimator(GANDetector(), on_fail=None, on_skip=None)
    others = [result for result in results if result["status"] != "passed"]
    for result in others:
        print(f"{result['status']}: {result['check_name']}: {result['exception']}")
    print(f"{len(results) - len(others)} of {len(results)} checks passed")
    sys.exit(bool(others))


if __name__ == "__main__":
    main()
