"""What can go wrong while an image is deployed. The text reaches the user as the server's diagnostic."""


class ImageError(Exception):
    """The deployment cannot go on."""
