"""Data URLs of pictures, for `st.image` and our components."""

from PIL import Image

from scalp_core.images import Pixels, data_url

_LARGEST = 1460  # pixels of the longer edge; no column is wider


def picture_url(pixels: Pixels, quality: int = 85) -> str:
    """Return a picture (h, w, 3) as a WebP in a data URL, shrunk where no column shows all of it.

    Pixels given to `st.image` are files of the server instead, which it forgets while a page that is drawn anew still
    asks for them.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((_LARGEST, _LARGEST))
    return data_url(image, "WEBP", quality=quality, method=2)
