"""Cuts a model down to some of its outputs: ONNX Runtime runs every node of a graph, whatever is asked of it.

Its option ``only_execute_path_to_fetches`` is for builds that train; the others ignore it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gandetect import wire

# Numbers of fields: ModelProto.graph; GraphProto.node and .output; NodeProto.input and .output; ValueInfoProto.name.
_GRAPH, _NODE, _OUTPUT = 7, 1, 12
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_VALUE_NAME = 1


def prune(model: bytes, outputs: Iterable[str]) -> bytes:
    """Return a model that computes fewer outputs, without the nodes that only the others need.

    Parameters
    ----------
    model : bytes
        A serialized ONNX ModelProto that has passed the guard, its nodes in the order in which they can run.
    outputs : iterable of str
        Which of its outputs stay.

    Returns
    -------
    bytes
        The model, with all its inputs. It is made to be run, and is no model file: its digest is that of the whole.
    """
    parts = []
    for field, span in _spans(model, 0, len(model)):
        if field.number == _GRAPH:
            graph = _pruned_graph(model, field, set(outputs))
            parts += [_varint(_GRAPH << 3 | wire.BYTES), _varint(len(graph)), graph]
        else:
            parts.append(model[span])
    return b"".join(parts)


def _pruned_graph(model: bytes, graph: wire.Field, needed: set[str]) -> bytes:
    """Keep what `needed` tensors are computed by; from the last node to the first, since each needs earlier ones."""
    kept = []
    for field, span in reversed(list(_spans(model, graph.start, graph.end))):
        if field.number == _OUTPUT and not needed & set(_texts(model, field, _VALUE_NAME)):
            continue
        if field.number == _NODE:
            if not needed & set(_texts(model, field, _NODE_OUTPUT)):
                continue
            needed = needed | set(_texts(model, field, _NODE_INPUT))
        kept.append(model[span])
    return b"".join(reversed(kept))


def _spans(model: bytes, start: int, end: int) -> Iterator[tuple[wire.Field, slice]]:
    """Yield the fields of a message, each with where it stands from its number to its end."""
    for field in wire.fields(model, start, end):
        yield field, slice(start, field.end)
        start = field.end


def _texts(model: bytes, message: wire.Field, number: int) -> list[str]:
    """Return the strings that a message holds in one of its fields."""
    fields = wire.fields(model, message.start, message.end)
    return [wire.text(model, field.start, field.end) for field in fields if field.number == number]


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])
