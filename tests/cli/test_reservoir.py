import numpy as np

from gandetect.readers.tables import Chunk
from gandetect_cli.reservoir import Reservoir


def chunk(first, n_rows):
    numbers = range(first, first + n_rows)
    return Chunk(("row",), {"row": np.array([str(number) for number in numbers], dtype=object)}, list(numbers))


def kept(size, seed, n_rows, chunk_rows=100):
    reservoir = Reservoir(size, seed)
    for first in range(0, n_rows, chunk_rows):
        reservoir.add(chunk(first, min(chunk_rows, n_rows - first)))
    rows, places = reservoir.rows()
    assert places.tolist() == list(rows.lines)
    assert reservoir.n_seen == n_rows
    assert rows.columns["row"].tolist() == [str(line) for line in rows.lines]
    return list(rows.lines)


def test_a_small_table_is_kept_whole():
    assert kept(300, 0, 250) == list(range(250))
    assert kept(250, 0, 250) == list(range(250))


def test_a_large_table_is_cut_to_size_in_the_order_of_the_file():
    rows = kept(50, 0, 1000)
    assert len(rows) == 50
    assert rows == sorted(set(rows))


def test_the_choice_depends_on_the_seed_and_not_on_the_chunks():
    assert kept(50, 3, 1000) == kept(50, 3, 1000, chunk_rows=7)
    assert kept(50, 3, 1000) != kept(50, 4, 1000)


def test_every_row_has_the_same_chance():
    counts = np.zeros(200)
    for seed in range(400):
        counts[kept(20, seed, 200, chunk_rows=30)] += 1
    assert counts.sum() == 400 * 20
    # 40 expected of each row, with a standard deviation of 6; the bounds are five of them away.
    assert counts.min() > 10
    assert counts.max() < 70
    assert abs(counts[:100].mean() - 40) < 2
