"""Lambda's Python 3.13 where no image registry can be reached, made of Debian's packages.

Its files serve twice: as the image that `sam local` starts in the place of AWS's own, and as they
are, as the interpreter of functions that run without Docker.
"""

from local.artifact.image.image import has_docker, has_image, import_image
from local.artifact.image.root import LambdaImageError, find_python, make_root

__all__ = [
    "LambdaImageError",
    "find_python",
    "has_docker",
    "has_image",
    "import_image",
    "make_root",
]
