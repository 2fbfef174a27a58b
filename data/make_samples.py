"""Write the sample tables beside this script: three from scikit-learn's bundled sets, one made up here.

Each folder gets ``train.csv`` (normal rows only, no label) and ``new.csv`` (mixed, with a ``label`` column that says
``normal`` or ``anomaly``). The same bytes come out every time::

    python data/make_samples.py
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

Row = dict[str, Any]
# RandomState, not Generator: its numbers are promised to stay the same in every numpy to come.
Random = np.random.RandomState

LABEL = "label"


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV with plain line ends; None is an empty field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def labelled(rows: Iterable[Row], label: str) -> list[Row]:
    """Add the label column at the end of each row."""
    return [{**row, LABEL: label} for row in rows]


def write_samples(folder: Path, train: Sequence[Row], normal: Sequence[Row], anomalies: Sequence[Row]) -> None:
    """Write both tables of one folder, the second one shuffled."""
    new = labelled(normal, "normal") + labelled(anomalies, "anomaly")
    write_table(folder / "train.csv", train)
    write_table(folder / "new.csv", [new[position] for position in Random(0).permutation(len(new))])


def bundled(load: Callable[[], Any], is_normal: Callable[[np.ndarray], np.ndarray]) -> tuple[list[Row], list[Row]]:
    """Return the shuffled normal rows and the shuffled anomalies of one of scikit-learn's sets."""
    data = load()
    names = [str(name) for name in data.feature_names]
    rows = [{name: f"{value:.10g}" for name, value in zip(names, values, strict=True)} for values in data.data]
    order = Random(0).permutation(len(rows))
    normal = is_normal(data.target)
    return [rows[i] for i in order if normal[i]], [rows[i] for i in order if not normal[i]]


def write_breast_cancer(folder: Path) -> None:
    """Write the Wisconsin set: benign is normal, two thirds of it for training."""
    benign, malignant = bundled(load_breast_cancer, lambda target: target == 1)
    write_samples(folder, benign[:238], benign[238:], malignant)


def write_wine(folder: Path) -> None:
    """Write the wine set: the first two cultivars are normal, the third is not."""
    normal, third = bundled(load_wine, lambda target: target != 2)
    write_samples(folder, normal[:87], normal[87:], third)


def write_digits(folder: Path) -> None:
    """Write some of the 8 x 8 digits, a column for each pixel: 0 to 4 are normal, 5 to 9 are not."""
    low, high = bundled(load_digits, lambda target: target < 5)
    write_samples(folder, low[:600], low[600:], high[:200])


# Six machines, each with its tool; the material sets speed, power and coolant, and these the temperature.
TOOL_OF = {"M01": "lathe", "M02": "lathe", "M03": "mill", "M04": "mill", "M05": "drill", "M06": "drill"}
TOOL_SPEED = {"lathe": 0.8, "mill": 1.0, "drill": 1.2}
TOOL_FEED = {"lathe": 0.15, "mill": 0.4, "drill": 0.08}  # mm per turn
MATERIALS = {"steel": 0.5, "aluminium": 0.3, "brass": 0.185, "titanium": 0.015}
SPEED = {"steel": 900, "aluminium": 3000, "brass": 1800, "titanium": 450}  # turns per minute
POWER = {"steel": 4.0, "aluminium": 0.9, "brass": 1.2, "titanium": 9.0}  # kW per 1000 turns per minute
COOLANT = {"steel": 1.0, "aluminium": 0.7, "brass": 0.0, "titanium": 1.0}  # share of jobs with it
EARLY, LATE = ("ada", "ben", "cem", "dee"), ("eli", "fay", "gus", "hal")
MISSING = {"temperature_c": 0.02, "vibration_mm_s": 0.08, "tool_wear_um": 0.05}


def work_time(random: Random, first: datetime, n_days: int) -> datetime:
    """Draw a minute between 06:00 and 22:00 on a day from Monday to Friday."""
    while True:
        day = first + timedelta(days=int(random.randint(n_days)))
        if day.weekday() < 5:
            return day + timedelta(minutes=int(random.randint(6 * 60, 22 * 60)))


def yes_no(is_yes: bool) -> str:
    """Spell a flag as the table does."""
    return "yes" if is_yes else "no"


def normal_job(random: Random, time: datetime, material: str = "") -> Row:
    """Draw one job as it normally goes: the columns depend on each other."""
    machine = str(random.choice(list(TOOL_OF)))
    material = material or str(random.choice(list(MATERIALS), p=list(MATERIALS.values())))
    tool = TOOL_OF[machine]
    speed = SPEED[material] * TOOL_SPEED[tool] * random.normal(1, 0.05)
    power = 0.8 + POWER[material] * speed / 1000 * random.normal(1, 0.05)
    has_coolant = random.uniform() < COOLANT[material]
    job = {
        "job_id": "",
        "started_at": time,
        "machine": machine,
        "tool": tool,
        "operator": str(random.choice(EARLY if time.hour < 14 else LATE)),
        "material": material,
        "coolant": yes_no(has_coolant),
        "first_part": yes_no(random.uniform() < 0.1),
        "speed_rpm": round(speed),
        "feed_mm_min": round(speed * TOOL_FEED[tool] * random.normal(1, 0.04)),
        "power_kw": round(power, 2),
        "temperature_c": round(22 + 6 * power + (0 if has_coolant else 9) + random.normal(0, 1.2), 1),
        "vibration_mm_s": round(float(np.exp(random.normal(0.2, 0.25))), 2),
        "tool_wear_um": round(random.uniform(0, 300)),
        "status": "OK",
    }
    return {name: None if random.uniform() < MISSING.get(name, 0) else value for name, value in job.items()}


def at_night(job: Row, random: Random) -> Row:
    """Move the job to between 01:00 and 04:00."""
    return job | {"started_at": job["started_at"].replace(hour=int(random.randint(1, 4)))}


def on_sunday(job: Row, random: Random) -> Row:
    """Move the job to the Sunday of its week."""
    return job | {"started_at": job["started_at"] + timedelta(days=6 - job["started_at"].weekday())}


def wrong_shift(job: Row, random: Random) -> Row:
    """Give the job to somebody of the other shift."""
    return job | {"operator": str(random.choice(LATE if job["started_at"].hour < 14 else EARLY))}


def wrong_tool(job: Row, random: Random) -> Row:
    """Put a tool on the machine that it never has."""
    return job | {"tool": str(random.choice([tool for tool in TOOL_SPEED if tool != job["tool"]]))}


# What is wrong -> the material of the job (any if empty) and how the job is changed.
ANOMALIES: dict[str, tuple[str, Callable[[Row, Random], Row]]] = {
    "unknown machine": ("", lambda job, random: job | {"machine": "M99"}),
    "unknown material": ("", lambda job, random: job | {"material": "oak"}),
    "status other than OK": ("", lambda job, random: job | {"status": "FAULT"}),
    "at night": ("", at_night),
    "on a Sunday": ("", on_sunday),
    "too hot": ("", lambda job, random: job | {"temperature_c": round(random.uniform(90, 140), 1)}),
    "too much vibration": ("", lambda job, random: job | {"vibration_mm_s": round(random.uniform(8, 20), 2)}),
    "no feed": ("", lambda job, random: job | {"feed_mm_min": 0}),
    "steel, cut as if it were aluminium": ("aluminium", lambda job, random: job | {"material": "steel"}),
    "steel without coolant": ("steel", lambda job, random: job | {"coolant": "no"}),
    "half the power that steel needs": ("steel", lambda job, random: job | {"power_kw": round(job["power_kw"] / 2, 2)}),
    "tool that the machine never has": ("", wrong_tool),
    "operator of the other shift": ("", wrong_shift),
}
N_PER_ANOMALY = 4


def anomalous_jobs(random: Random, first: datetime, n_days: int) -> list[Row]:
    """Draw some jobs of each kind of anomaly."""
    return [
        change(normal_job(random, work_time(random, first, n_days), material), random)
        for material, change in ANOMALIES.values()
        for _ in range(N_PER_ANOMALY)
    ]


def numbered(jobs: Iterable[Row], start: int) -> list[Row]:
    """Order jobs by time, number them and write the time as ISO 8601."""
    ordered = sorted(jobs, key=lambda job: job["started_at"])
    return [
        job | {"job_id": f"J-{start + position}", "started_at": f"{job['started_at'].isoformat()}Z"}
        for position, job in enumerate(ordered)
    ]


def write_machines(folder: Path) -> None:
    """Write the made-up jobs: a year for training, the following half year as new."""
    random = Random(0)
    train = [normal_job(random, work_time(random, datetime(2025, 1, 1), 365)) for _ in range(600)]
    following = datetime(2026, 1, 1)
    normal = [normal_job(random, work_time(random, following, 180)) for _ in range(200)]
    new = labelled(normal, "normal") + labelled(anomalous_jobs(random, following, 180), "anomaly")
    write_table(folder / "train.csv", numbered(train, 100_000))
    write_table(folder / "new.csv", numbered(new, 200_000))


SAMPLES = {
    "breast_cancer": write_breast_cancer,
    "wine": write_wine,
    "digits": write_digits,
    "machines": write_machines,
}


def main() -> None:
    """Write every sample below the folder given, by default the one that holds this script."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, write in SAMPLES.items():
        write(root / name)


if __name__ == "__main__":
    main()
