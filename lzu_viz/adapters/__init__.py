"""Networks of other libraries: torchvision, transformers, ultralytics and ONNX files.

Each module needs its library, which is imported when the module is used. Backbones need no adapter:
see :func:`lzu_viz.attach`.
"""
