"""Loading of network weights from `safetensors` files, with checks.

Such files hold named arrays and no code. The weights are stored as float16 to keep the files small,
and are converted to float32 when loaded.
"""

from collections.abc import Mapping
from hashlib import sha256 as _sha256
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn


def load(path: str | Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Return the tensors of a `safetensors` file as float32.

    Args:
        path: path of the file.
        sha256: expected checksum, as 64 hexadecimal digits; `None` skips the check.

    Returns:
        Mapping of names to float32 tensors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the checksum differs, or the file cannot be read as `safetensors`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights file at {path}; pass the path of a .safetensors file, "
            "or reinstall lzu_viz if the file belongs to the package"
        )
    data = path.read_bytes()
    actual = _sha256(data).hexdigest()
    if sha256 is not None and actual != sha256:
        raise ValueError(
            f"{path} ({len(data)} bytes) is damaged: expected SHA-256 {sha256}, got {actual}; "
            "reinstall lzu_viz"
        )
    try:
        tensors = safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{path} ({len(data)} bytes) is not a complete safetensors file: {error}; "
            "copy or export it again"
        ) from error
    return {name: tensor.float() for name, tensor in tensors.items()}


def load_weights(
    network: nn.Module,
    path: str | Path,
    sha256: str | None = None,
    rename: Mapping[str, str] | None = None,
) -> None:
    """Load the weights of a file into a network; names and shapes of all tensors must match.

    Args:
        network: modified in place, and set to eval mode.
        path: path of the file.
        sha256: expected checksum, see `load`.
        rename: maps the first part of a tensor's name in the file to the name of the network's
            attribute, where the two differ.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or its tensors are not those of this network.
    """
    rename = rename or {}
    tensors = {}
    for name, tensor in load(path, sha256).items():
        first, dot, remainder = name.partition(".")
        tensors[rename.get(first, first) + dot + remainder] = tensor

    expected = network.state_dict()
    kind = type(network).__name__
    advice = f"pass a file that was saved from a {kind}"
    missing = sorted(expected.keys() - tensors.keys())
    if missing:
        raise ValueError(
            f"{len(missing)} of the {len(expected)} tensors of {kind} are missing in {path}, "
            f"the first is {missing[0]!r}; {advice}"
        )
    unknown = sorted(tensors.keys() - expected.keys())
    if unknown:
        raise ValueError(
            f"{path} contains {len(unknown)} tensors that {kind} does not have, "
            f"the first is {unknown[0]!r}; {advice}"
        )
    for name, tensor in expected.items():
        if tensors[name].shape != tensor.shape:
            raise ValueError(
                f"{name!r} in {path} must have shape {tuple(tensor.shape)} for {kind}, "
                f"got {tuple(tensors[name].shape)}; {advice}"
            )
    network.load_state_dict(tensors)
    network.eval()
