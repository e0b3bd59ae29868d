"""Is an autoregressive image model really autoregressive?

`check` analyzes an ONNX file. For every color of every pixel, it computes the set of image values that the
logits depend on. `assert_causal` does the same for a `torch.nn.Module` in a test:

    import pixelrnn

    def test_my_model_is_causal():
        pixelrnn.assert_causal(MyPixelCNN(), (1, 28, 28))
"""

from ._check import ModelError
from ._report import Hop, Report, Witness, check
from ._torch import assert_causal, export

__all__ = ["Hop", "ModelError", "Report", "Witness", "assert_causal", "check", "export"]
