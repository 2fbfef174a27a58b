"""A device that is not there: it computes on the CPU, but its tensors mix with no others, as those of a GPU do."""

import numpy as np
import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "elsewhere"

backend_registration._setup_privateuseone_for_python_backend(NAME)

MOVING = {torch.ops.aten._to_copy, torch.ops.aten.copy_}
INDEXING = {torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_}
"""A GPU takes indices on the CPU."""


class Elsewhere(torch.Tensor):
    """A tensor on the other device; what it holds is on the CPU."""

    @staticmethod
    def __new__(cls, held):
        """Return a tensor without memory."""
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, **layout, device=f"{NAME}:0")

    def __init__(self, held):
        self.held = held

    def __getitem__(self, index):
        """Index with lists and arrays, which torch would move by itself."""
        return super().__getitem__(_as_tensors(index))

    def __setitem__(self, index, value):
        """As above."""
        super().__setitem__(_as_tensors(index), value)

    def tolist(self):
        """Return Python numbers."""
        return self.held.tolist()

    def numpy(self, *, force=False):
        """Return an array only if forced to."""
        if not force:
            raise TypeError(f"can't convert a tensor of the device {NAME} to numpy")
        return self.held.detach().numpy()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        """Compute where the tensors are."""
        return _compute(func, args, kwargs or {})


class OtherDevice(TorchDispatchMode):
    """While it is entered, torch has the other device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Compute, perhaps on the other device."""
        return _compute(func, args, kwargs or {})


def _compute(func, args, kwargs):
    operator = func.overloadpacket
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    away = [isinstance(tensor, Elsewhere) for tensor in tensors]
    here = [tensor for tensor, is_away in zip(tensors, away, strict=True) if not is_away and tensor.dim()]
    if any(away) and here and operator not in MOVING | INDEXING:
        raise RuntimeError(f"expected all tensors to be on the same device, found two in {operator}")
    is_away = any(away)
    if operator is torch.ops.aten.copy_:
        is_away = away[0]
    elif kwargs.get("device") is not None:
        is_away = torch.device(kwargs["device"]).type == NAME
        kwargs = kwargs | {"device": "cpu"}
    held_args, held_kwargs = tree_map(_held, (args, kwargs))
    answer = func(*held_args, **held_kwargs)
    if isinstance(answer, torch.Tensor) and args and answer is _held(args[0]):
        return args[0]  # computed in place
    return (
        tree_map(lambda leaf: Elsewhere(leaf) if isinstance(leaf, torch.Tensor) else leaf, answer)
        if is_away
        else answer
    )


def _away(leaf):
    return Elsewhere(leaf) if isinstance(leaf, torch.Tensor) else leaf


def _held(leaf):
    return leaf.held if isinstance(leaf, Elsewhere) else leaf


def _as_tensors(index):
    if isinstance(index, tuple):
        return tuple(map(_as_tensors, index))
    return torch.as_tensor(index) if isinstance(index, list | np.ndarray) else index
