"""Networks for pages without a kernel: as ONNX files, with the runtime that runs them there.

The runtime is onnxruntime-web, of which npm fetches one version, once. A browser runs it on one
thread, so that a page needs no special headers of its server.
"""

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from PIL import ImageColor
from torch import Tensor, nn

from .._extras import needs
from ..models import NETWORKS, network
from ..models.registry import TwoPartNetwork
from ..plots.palette import PREDICTION
from .front import FOLDER, WORKER, bundle

with needs("notebooks"):
    from platformdirs import user_cache_path

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
"""The package of npm that runs ONNX files in a page, and its version."""

RUNTIME_NAME = f"{PACKAGE} {VERSION}"

INTEGRITY = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
"""Base64 of the SHA-512 of the package's archive."""

RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""Files of the package that a page needs: the module, and the program that it loads."""

LICENCE = FOLDER / "onnxruntime-web.LICENSE"
"""The licence of the package, whose archive names it without holding its text."""

NETWORKS_FOLDER = "networks"
"""Folder beside a page with the files of its networks."""

MANIFEST = "networks.json"
"""File that lists the networks and the files, with their sizes and their SHA-256."""

PAGE_NETWORKS = ("segmenter", "detector")
"""Networks whose outputs the page can decode."""

MULTIPLE = 32
"""Number of which the sides of an image are multiples."""


class RuntimeMissingError(RuntimeError):
    """The runtime is not there and cannot be fetched."""


def write_networks(folder: str | Path, names: Sequence[str] = PAGE_NETWORKS) -> dict[str, Any]:
    """Write networks and the runtime to a folder, from which pages load them.

    Args:
        folder: to write to; created if missing.
        names: of the networks, in `PAGE_NETWORKS`.

    Returns:
        The content of the file `MANIFEST`: what a page has to know of each network, and each file
        with its bytes and its SHA-256.

    Raises:
        RuntimeMissingError: the runtime is not in the cache, and npm is missing or cannot fetch it.
        ValueError: the page cannot decode a network's outputs.
    """
    _check_names(names)
    runtime = runtime_folder()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*(runtime / name for name in RUNTIME), LICENCE):
        shutil.copyfile(path, folder / path.name)
    for name in names:
        (folder / f"{name}.onnx").write_bytes(onnx_file(name))
    files = [*RUNTIME, *(f"{name}.onnx" for name in names)]
    manifest = {
        "runtime": RUNTIME_NAME,
        "networks": {name: entry_for_page(name) for name in names},
        "files": {name: _described((folder / name).read_bytes()) for name in files},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def networks_for_page(
    folder: Path, networks: bool | str = True, single_file: bool = False
) -> dict[str, Any]:
    """Return what a page has to know to load the networks: the manifest, and where the files are.

    The files are written if they are missing, or are those of another version of the runtime.

    Args:
        folder: of the page.
        networks: True for a folder "networks" beside the page, or the address of another folder,
            relative to the page.
        single_file: whether the manifest holds the files themselves, compressed, in base64.

    Raises:
        RuntimeMissingError: as of :func:`write_networks`.
    """
    address = networks if isinstance(networks, str) else NETWORKS_FOLDER
    with ExitStack() as temporary:
        written = folder / address
        manifest = _read_manifest(written)
        if manifest is None:
            if single_file:
                written = Path(temporary.enter_context(tempfile.TemporaryDirectory()))
            manifest = write_networks(written)
        if single_file:
            for name, description in manifest["files"].items():
                packed = _packed((written / name).read_bytes())
                description["gzip"] = base64.b64encode(packed).decode()
    return {**manifest, "base": f"{address}/"}


def worker_to_page() -> dict[str, Any]:
    """Return the module of the worker that runs the networks, and the colour of their masks."""
    return {"worker": bundle(WORKER), "colour": ImageColor.getrgb(PREDICTION)}


def network_message(name: str, with_runtime: bool) -> dict[str, Any]:
    """Return what the page of a running kernel needs to run a network itself.

    Args:
        name: of the network, in `PAGE_NETWORKS`.
        with_runtime: whether to include the runtime, for the first network of a page.

    Raises:
        RuntimeMissingError: as of :func:`write_networks`.
        ValueError: the page cannot decode the network's outputs.
    """
    _check_names([name])
    files = {f"{name}.onnx": onnx_file(name)}
    if with_runtime:
        runtime = runtime_folder()
        files |= {file: (runtime / file).read_bytes() for file in RUNTIME}
    return {
        "networks": {each: entry_for_page(each) for each in PAGE_NETWORKS},
        "files": {
            file: {**_described(data), "gzip": _packed(data)} for file, data in files.items()
        },
        **worker_to_page(),
    }


@lru_cache(maxsize=len(RUNTIME) + len(PAGE_NETWORKS))
def _packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _check_names(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in PAGE_NETWORKS]
    if unknown:
        raise ValueError(f"pages run the networks {', '.join(PAGE_NETWORKS)}, got {unknown}")


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder; None if there is none of the current runtime."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return manifest if manifest.get("runtime") == RUNTIME_NAME else None


def entry_for_page(name: str) -> dict[str, Any]:
    """Return what a page has to know to decode the outputs of a network."""
    entry = NETWORKS[name]
    return {
        "task": entry.task,
        "strides": list(entry.strides),
        "classes": list(network(name).classes),
        "upsample_factor": entry.unzoom.get("upsample_factor", 1),
    }


def _described(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@lru_cache(maxsize=len(PAGE_NETWORKS))
def onnx_file(name: str) -> bytes:
    """Return a network as an ONNX file, for images of any size, with weights in half precision.

    The input "image" is `1 3 h w` in 0..1 with sides that are multiples of `MULTIPLE`; the outputs
    are "outputs_0", "outputs_1", ... and "features_0", ..., one for each stride. The weights of the
    shipped networks are numbers of half precision, so that nothing is lost.

    Args:
        name: of the network, in `PAGE_NETWORKS`.
    """
    with needs("pages"):
        import onnxscript  # noqa: F401

    module = _WithNamedOutputs(network(name))
    levels = range(len(NETWORKS[name].strides))
    outputs = [f"{kind}_{level}" for kind in ("outputs", "features") for level in levels]
    rows, columns = (
        MULTIPLE * torch.export.Dim(side, min=2, max=64) for side in ("rows", "columns")
    )
    with warnings.catch_warnings():
        # PyTorch's exporter uses names that PyTorch has deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            module.eval(),
            (torch.zeros(1, 3, 4 * MULTIPLE, 6 * MULTIPLE),),
            input_names=["image"],
            output_names=outputs,
            dynamic_shapes={"image": {2: rows, 3: columns}},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return _with_half_weights(program.model_proto)


class _WithNamedOutputs(nn.Module):
    """A network that returns its outputs and its features as one tuple."""

    def __init__(self, network: TwoPartNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        features = self.network.features(image)
        outputs = self.network.head(features)
        return *_listed(outputs), *_listed(features)


def _listed(levels: Any) -> list[Tensor]:
    return [levels] if isinstance(levels, Tensor) else list(levels)


def _with_half_weights(model: Any) -> bytes:
    """Return a model whose float32 weights are stored in half precision and cast when loaded."""
    with needs("pages"):
        import onnx

    graph = model.graph
    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(weight)
        half = values.astype("float16")
        # Constants that are no weights, such as means of colours, may not fit.
        if (half.astype("float32") != values).any():
            continue
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=1))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    data: bytes = model.SerializeToString()
    return data


def runtime_folder() -> Path:
    """Return the folder with the files `RUNTIME`, which npm fetches if it is not there yet.

    Raises:
        RuntimeMissingError: npm is missing, cannot fetch the package, or fetched another one.
    """
    folder = user_cache_path("lzu_viz") / f"{PACKAGE}-{VERSION}"
    if not all((folder / name).exists() for name in RUNTIME):
        _unpack(_fetch(), folder)
    return folder


def _fetch() -> bytes:
    """Return the archive of the package from npm's registry."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeMissingError(
            f"{RUNTIME_NAME} is fetched by npm, which is not installed; install Node.js"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if run.returncode or not archives:
            raise RuntimeMissingError(
                f"npm cannot fetch {RUNTIME_NAME}: {run.stderr.strip() or 'no answer'}"
            )
        data = archives[0].read_bytes()
    integrity = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if integrity != INTEGRITY:
        raise RuntimeMissingError(
            f"the archive of {RUNTIME_NAME} has the SHA-512 {integrity}, expected {INTEGRITY}"
        )
    return data


def _unpack(archive: bytes, folder: Path) -> None:
    """Write the files of the runtime from the archive of the package."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        for name in RUNTIME:
            file = package.extractfile(f"package/dist/{name}")
            assert file is not None, f"{name} is no file"
            # Renamed when it is whole: another process may read it, or write it, too.
            part = folder / f"{name}.{os.getpid()}"
            part.write_bytes(file.read())
            part.rename(folder / name)
