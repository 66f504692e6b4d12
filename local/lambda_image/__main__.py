"""`python -m local.lambda_image`: make the stand-in for AWS's image of Lambda's Python 3.13."""

import sys

from local.lambda_image.image import import_image
from local.lambda_image.root import LambdaImageError


def main() -> int:
    """Make the image, and give the exit status."""
    try:
        image = import_image()
    except LambdaImageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{image} is made of Debian's packages; sam local will use it.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
