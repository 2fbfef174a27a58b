"""The scikit-learn face of the detector for images."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from gandetect.detector import ModelFileDetector
from gandetect.errors import InputError, quoted
from gandetect.image_schema import FOLDER_INPUT, IMAGE_INPUT, batches, images_of
from gandetect.images.arrays import (
    Image,
    as_list,
    fitting,
    is_image,
    one_image,
    pixels,
    read_pictures,
    require_several,
    unflattened,
)
from gandetect.manifest import modality_of
from gandetect.wording import contrast_in_words, overlap_in_words

if TYPE_CHECKING:
    from gandetect.training.course import Progress


class ImageGANDetector(ModelFileDetector):
    """Anomaly detector for images: a generative adversarial network that ends as one ONNX file.

    The discriminator learns to reject altered copies of the training images and what a generator draws; the generator
    learns to draw images and to rebuild them. Realness and the distance in the discriminator's features from normal
    images, calibrated out of fold, form the score. After `fit` it scores through the file that `save` writes.

    Parameters
    ----------
    detector : {"auto", "whole", "patch"}, default="auto"
        "whole" judges an image at a time, at 32 x 32 pixels; "patch" every part of it, with 128 or 256 pixels along
        each side. "auto": "patch" where the shorter side of the first 64 images has a median of at least 128 pixels, or
        with a backbone.
    backbone : str or path-like, optional
        A pretrained network whose feature maps the patch detector sees in place of pixels: the name of a timm model, or
        the path of an ONNX file; it becomes a part of the model file. A loaded detector has a digest in place of a
        path, ``sha256:...``; to fit it again, pass the path.
    loss : {"logistic", "least-squares", "hinge", "wasserstein"}, default="logistic"
        The game between the generator and the discriminator's heads for it.
    contamination : "auto" or float in (0, 0.5], default="auto"
        "auto": images are flagged at a false-alarm rate of 0.05 (or the smallest that few images allow). A number: the
        share of the training images that `predict` calls outliers.
    effort : {"low", "default", "high"}, default="default"
        Trades time for accuracy: a third of the steps, or three times as many.
    n_members : int, optional
        Generator and discriminator pairs, each blind to its own fold of the training images.
    n_steps : int, optional
        Training steps, instead of the effort's.
    given : sequence of str, default=()
        ``("folder",)``: one model for several products; every image is judged among those of its folder.
    image_shape : tuple of int, optional
        ``(height, width)`` or ``(height, width, channels)`` of images that come as rows of a table; needed for those.
    device : str, default="auto"
        Where to train: "auto" (a GPU when there is one), "cpu", "cuda", ...
    random_state : int, RandomState instance or None, default=None
        An int gives the same model file every time.

    Attributes
    ----------
    model_ : bytes
        The model file.
    scorer_ : Scorer
        Runs it.
    offset_ : float
        ``decision_function = score_samples - offset_``.
    health_ : dict
        How the training went.
    n_features_in_ : int
        Number of pixel values in a row seen during fit, where images came as rows.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where they came as a data frame whose columns are all named by text.

    See Also
    --------
    GANDetector : The same for tables, which vectors from a pretrained network are.

    Notes
    -----
    Every method takes images as an array of shape (n, height, width) or (n, height, width, channels), as rows of shape
    (n, height * width * channels) with `image_shape`, as a sequence of arrays of any sizes, of pictures of Pillow or of
    paths, or as the path of a folder. Pixel values are whole numbers from 0 to 255; of uint16 the high byte counts,
    True is white. Channels are 1 (grey) or 3 (red, green, blue); grey images fit among coloured ones, and
    to a model that takes colour.
    With `given` the folder of an image is the first one below the folder that is named, or the one that holds its file;
    arrays come with the names of their folders, ``{"images": X, "folder": names}``.
    Rows are checked as scikit-learn checks tables: as many values as in `fit`, none missing, none negative.

    References
    ----------
    I. Goodfellow et al., "Generative Adversarial Nets", 2014.

    C.-L. Li et al., "CutPaste", 2021; V. Zavrtanik et al., "DRAEM", 2021: altered copies of normal images as negatives.

    Z. Liu et al., "SimpleNet", 2023: a discriminator on the feature maps of a pretrained network.

    S. Bates, E. Candès, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with conformal p-values", 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from gandetect import ImageGANDetector
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X * 255 / 16).round()
    >>> detector = ImageGANDetector(n_steps=300, n_members=2, image_shape=(8, 8), random_state=0).fit(X[y == 0])
    >>> bool(detector.score_samples(X[y == 0]).mean() > detector.score_samples(X[y == 1]).mean())
    True
    """

    def __init__(
        self,
        *,
        detector: str = "auto",
        backbone: str | os.PathLike[str] | None = None,
        loss: str = "logistic",
        contamination: float | Literal["auto"] = "auto",
        effort: str = "default",
        n_members: int | None = None,
        n_steps: int | None = None,
        given: Sequence[str] = (),
        image_shape: tuple[int, ...] | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.detector = detector
        self.backbone = backbone
        self.loss = loss
        self.contamination = contamination
        self.effort = effort
        self.n_members = n_members
        self.n_steps = n_steps
        self.given = given
        self.image_shape = image_shape
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, callback: Callable[[Progress], None] | None = None) -> Self:
        """Learn what normal images look like.

        Parameters
        ----------
        X : array-like, sequence of arrays or paths, path of a folder, or mapping
            Normal (or mostly normal) images.
        y : ignored
        callback : callable, optional
            Called with `gandetect.Progress` about a hundred times while training.

        Returns
        -------
        ImageGANDetector
            The fitted detector.

        Raises
        ------
        InputError
            Too few images, images that cannot be read or are all the same, a parameter out of range, a file that is not
            a usable backbone, or a training that diverged; a `ValueError`.
        FileAccessError
            The backbone cannot be read or downloaded.
        MissingExtraError
            It is one of timm, which is not installed.

        Warns
        -----
        ConvergenceWarning
            A member of the ensemble is sick; see `health_`.
        UserWarning
            Many images that are judged patch by patch show in part what another one shows: normal images of other
            pieces may raise more alarms than announced. Or nearly all pixels have one of a few neighbouring values.
        """
        from gandetect.images.fitting import fit_images

        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)  # of an earlier fit on rows
        given = list(self.given) if isinstance(self.given, Iterable) else [self.given]
        if given and not (len(given) == 1 and isinstance(given[0], str) and given[0] == FOLDER_INPUT):
            raise InputError(
                f"Expected given to be () or ({FOLDER_INPUT!r},) for images, found {self.given!r}; their folder is all "
                "that is known of them."
            )
        images, folders = self._images(X, "train")
        model = fit_images(
            images,
            folders=folders if given else None,
            detector=self.detector,
            backbone=self.backbone,
            effort=self.effort,
            loss=self.loss,
            n_members=self.n_members,
            n_steps=self.n_steps,
            seed=self._seed(),
            contamination=self.contamination,
            image_shape=self.image_shape,
            feature_names=getattr(self, "feature_names_in_", None),
            device=self.device,
            callback=callback,
        )
        self._use(model)
        self._warn()
        training = self.scorer_.manifest["training"]
        for sentence in filter(None, (overlap_in_words(training), contrast_in_words(training))):
            warnings.warn(f"{sentence}.", UserWarning, stacklevel=2)
        return self

    def heatmap(self, X: Any) -> NDArray[np.float32]:
        """Return the heat of every pixel.

        Parameters
        ----------
        X
            As `fit` takes them.

        Returns
        -------
        array of float32 of shape (n_samples, model height, model width)
            The higher, the more anomalous: 2 is as rare as one pixel in a hundred. `gandetect.resize_heatmap` brings
            each to its picture's own size.

        Raises
        ------
        NotFittedError, ValueError
            As from `anomaly_score`.
        """
        return np.asarray(self._answer(X, "heatmap"), dtype=np.float32)

    def reconstruct(self, X: Any) -> NDArray[np.float32]:
        """Return what the generator makes of images.

        Parameters
        ----------
        X
            As `fit` takes them.

        Returns
        -------
        array of float32 of shape (n_samples, model height, model width, channels)
            Pixel values, 0 to 255.

        Raises
        ------
        NotFittedError, ValueError
            As from `anomaly_score`.
        """
        return np.asarray(self._answer(X, "reconstruction"), dtype=np.float32)

    @classmethod
    def _remembered(cls, manifest: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        given = (FOLDER_INPUT,) if images_of(modality_of(manifest)).folders else ()
        training = manifest["training"]
        parameters: dict[str, Any] = {"given": given}
        seen: dict[str, Any] = {}
        if "backbone" in manifest:
            parameters |= {"detector": "patch", "backbone": manifest["backbone"]["name"]}
        if training.get("image_shape"):
            parameters["image_shape"] = tuple(training["image_shape"])
            seen["n_features_in_"] = int(np.prod(training["image_shape"]))
        if "feature_names" in training:
            seen["feature_names_in_"] = np.array(training["feature_names"], dtype=object)
        return parameters, seen

    def _answer(self, X: Any, output: str) -> NDArray[Any]:
        """Run the model file on images and return one of its outputs."""
        check_is_fitted(self)
        images, folders = self._images(X, "test")
        schema, answers, start = images_of(self.scorer_.schema), [], 0
        for batch in batches(images):
            raw = schema.raw(batch, folders[start : start + len(batch)])
            answers.append(self.scorer_(raw, [output])[output])
            start += len(batch)
        if not answers:
            raise InputError("Expected at least one image, found none.")
        return np.concatenate(answers)

    def _images(self, X: Any, part: Literal["train", "test"]) -> tuple[Iterable[Image], Sequence[str]]:
        """Return images of shape (height, width, channels), whatever they come as, and their folders where known.

        Pictures are read one after the other, and the folder of each is known as soon as it is read.
        """
        channels = None if part == "train" else images_of(self.scorer_.schema).channels
        X = as_list(X)
        if isinstance(X, Mapping) and not issparse(X):  # some sparse ones are mappings, too
            return self._images_and_folders(X, part)
        if isinstance(X, str | os.PathLike):
            return read_pictures(X, part, channels)
        if isinstance(X, Sequence) and X and all(isinstance(item, str | os.PathLike) for item in X):
            return read_pictures([Path(item) for item in X], part, channels)
        return fitting(self._arrays(X, part), channels), []

    def _images_and_folders(
        self, X: Mapping[str, Any], part: Literal["train", "test"]
    ) -> tuple[Sequence[Image], Sequence[str]]:
        if set(X) != {IMAGE_INPUT, FOLDER_INPUT}:
            raise InputError(
                f"Expected images with their folders as {{{IMAGE_INPUT!r}: ..., {FOLDER_INPUT!r}: ...}}, found "
                f"{quoted(map(str, X))}; name them so."
            )
        if not (tuple(self.given) if part == "train" else images_of(self.scorer_.schema).folders):
            raise InputError(
                "Expected images alone, since they are not judged given their folders, found their folders, too; leave "
                f"those out, or fit with given=({FOLDER_INPUT!r},)."
            )
        images, folders = list(self._images(X[IMAGE_INPUT], part)[0]), np.asarray(X[FOLDER_INPUT], dtype=object)
        if folders.shape != (len(images),):
            raise InputError(
                f"Expected the folder of each of {len(images)} images, found an array of shape {folders.shape}; give "
                "one name for each."
            )
        return images, folders.tolist()

    def _arrays(self, X: Any, part: Literal["train", "test"]) -> Sequence[Image]:
        if isinstance(X, Sequence) and X and all(is_image(item) for item in X):
            return [one_image(item) for item in X]
        try:
            values = np.asarray(X)
        except ValueError:
            raise InputError(
                "Expected images that are all arrays, or all paths, found what no array can hold; pass one of both."
            ) from None
        if not issparse(X):
            require_several(X, values)
        if values.ndim == 2 or issparse(X):  # scikit-learn refuses the latter
            rows = validate_data(self, X, reset=part == "train", ensure_non_negative=True)
            return list(pixels(unflattened(rows, self.image_shape)))
        if values.ndim not in (3, 4):
            raise InputError(
                "Expected images of shape (n, height, width) or (n, height, width, channels), found "
                f"shape {values.shape}; reshape them."
            )
        return list(pixels(values[..., None] if values.ndim == 3 else values))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.positive_only = True
        return tags
