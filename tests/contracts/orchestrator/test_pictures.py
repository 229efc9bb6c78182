"""What a model is given of an image: small, upright, and nothing that the image does not show."""

import base64
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from services.orchestrator.images.folder import FolderFiles
from services.orchestrator.images.pillow import LONGER_SIDE, PillowImages, picture_of, read_image
from shared.contract.errors import Refused
from tests.contracts.orchestrator.images_room import image_bytes, noise, pieces, png_with
from tests.unit.samples import AT


def seen(url: str) -> Image.Image:
    assert len(url) < 700_000
    kind, _, encoded = url.partition(";base64,")
    image = Image.open(BytesIO(base64.b64decode(encoded, validate=True)))
    assert kind == f"data:{Image.MIME[image.format or '']}"
    image.load()
    return image


def turned(orientation: int, form: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "somewhere secret"
    left_blue = Image.new("RGB", (80, 40), "red")
    left_blue.paste("blue", (0, 0, 40, 40))
    buffer = BytesIO()
    left_blue.save(buffer, form, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_each_kind_of_image_is_known_by_its_content(form: str) -> None:
    data = image_bytes(form)

    looked = read_image(data)

    assert looked.media_type == f"image/{form.lower()}"
    assert (looked.width, looked.height) == (40, 30)
    assert seen(picture_of(data)).size == (40, 30)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_upright(form: str) -> None:
    """Taken with the top on the right: what is left in the file is the top."""
    data = turned(6, form)

    looked = read_image(data)
    picture = seen(picture_of(data)).convert("RGB")

    assert (looked.width, looked.height) == picture.size == (40, 80)
    top, bottom = picture.getpixel((20, 10)), picture.getpixel((20, 70))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[2] > 200 > 50 > top[0]
    assert bottom[0] > 200 > 50 > bottom[2]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_keep_an_image_from_being_seen() -> None:
    data = image_bytes("JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")

    assert read_image(data).width == 40
    assert seen(picture_of(data)).size == (40, 30)


@pytest.mark.parametrize(
    "data",
    [png_with("somewhere secret"), turned(1), turned(1, "PNG"), image_bytes("JPEG", comment=b"secret")],
)
def test_what_the_file_says_beside_the_image_is_left_out(data: bytes) -> None:
    assert b"secret" in data

    _, _, encoded = picture_of(data).partition(";base64,")

    assert b"secret" not in base64.b64decode(encoded)


@pytest.mark.parametrize(("form", "size"), [("JPEG", (4000, 3000)), ("PNG", (1600, 5000))])
def test_a_large_image_is_made_small(form: str, size: tuple[int, int]) -> None:
    picture = seen(picture_of(image_bytes(form, size)))

    assert max(picture.size) == LONGER_SIDE
    assert picture.width / picture.height == pytest.approx(size[0] / size[1], rel=0.01)


def test_what_no_encoder_makes_small_is_made_smaller_still() -> None:
    picture = seen(picture_of(noise("PNG", (1568, 1568))))

    assert picture.format == "JPEG"


def test_lines_and_letters_stay_sharp() -> None:
    assert seen(picture_of(image_bytes("PNG"))).format == "PNG"


def test_of_a_moving_image_the_first_frame_is_seen() -> None:
    buffer = BytesIO()
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])

    assert seen(picture_of(buffer.getvalue())).convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_what_is_transparent_is_white() -> None:
    buffer = BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(buffer, "PNG")

    assert seen(picture_of(buffer.getvalue())).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "color", "shown"), [("I;16", 0x8000, 128), ("L", 128, 128), ("1", 1, 255), ("P", 0, 0)]
)
def test_other_ways_to_write_colours_are_read(mode: str, color: int, shown: int) -> None:
    buffer = BytesIO()
    Image.new(mode, (20, 20), color).save(buffer, "PNG")

    pixel = seen(picture_of(buffer.getvalue())).convert("RGB").getpixel((5, 5))

    assert pixel == (shown, shown, shown)


def test_a_print_is_read() -> None:
    buffer = BytesIO()
    Image.new("CMYK", (20, 20), (0, 0, 0, 0)).save(buffer, "JPEG")

    assert read_image(buffer.getvalue()).media_type == "image/jpeg"
    assert seen(picture_of(buffer.getvalue())).convert("RGB").getpixel((5, 5)) == (255, 255, 255)


async def test_the_picture_of_a_file_is_for_its_owner(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path, read_image, lambda: AT)
    images = PillowImages(files)
    data = noise("PNG", (600, 600))
    for piece in pieces(data, name="bee.png"):
        await files.put(piece)

    picture = await images.picture("alice", "file-1")

    assert picture.name == "bee.png"
    assert seen(picture.data_url).size == (600, 600)
    for user, file_id in (("bob", "file-1"), ("alice", "file-2")):
        with pytest.raises(Refused) as refused:
            await images.picture(user, file_id)
        assert refused.value.status == 404


async def test_a_file_that_went_bad_on_the_disk_is_refused(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path, read_image, lambda: AT)
    await files.put(pieces(data := image_bytes())[0])
    (tmp_path / "user_alice" / "file-1" / "data").write_bytes(bytes(len(data)))

    with pytest.raises(Refused) as refused:
        await PillowImages(files).picture("alice", "file-1")

    assert refused.value.status == 415
