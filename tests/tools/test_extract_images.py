"""Photos of every kind come out as RGB of the right size, or as a clear error."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atalanta.golden.errors import InputError
from atalanta.tools.extract.extras import MissingExtraError
from atalanta.tools.extract.images import SAMPLES, fit, folder_photos, read_image, sample_photos

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50


@pytest.mark.parametrize(
    ("pixels", "name"),
    [
        (GREY, "grey.png"),
        (GREY.astype(np.uint16) * 257, "grey16.png"),
        (GREY.astype(np.int32) * 257, "grey32.tif"),
        ((GREY / 255).astype(np.float32), "float.tif"),
        (np.stack([GREY, np.full_like(GREY, 255)], -1), "grey_alpha.png"),
        (np.stack([GREY, GREY, GREY], -1), "rgb.bmp"),
        (np.stack([GREY, GREY, GREY, np.full_like(GREY, 255)], -1), "rgba.tif"),
    ],
)
def test_every_mode_becomes_rgb(tmp_path: Path, pixels: np.ndarray, name: str) -> None:
    Image.fromarray(pixels).save(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name), np.stack([GREY] * 3, -1))


def test_one_bit_and_palette(tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png")[..., 0], (GREY > 100) * 255)
    Image.fromarray(GREY).convert("P").save(tmp_path / "palette.gif")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.gif")[..., 2], GREY)


def test_transparent_parts_lie_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((1, 2, 4), np.uint8)
    rgba[0, 1, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), [[[255] * 3, [0] * 3]])


def test_rotation_is_obeyed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], np.rot90(GREY, -1))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 3), (4000, 2, 3), (500, 300, 3)])
def test_any_shape_fits(shape: tuple[int, ...]) -> None:
    fitted = fit(np.full(shape, 99, np.uint8), (224, 192))
    assert (fitted.shape, fitted.dtype) == ((224, 192, 3), np.uint8)
    assert (fitted == 99).all()


def test_the_centre_is_seen() -> None:
    pixels = np.zeros((80, 200, 3), np.uint8)
    pixels[5:75, 65:135] = 255  # 7/8 of the shorter side
    assert (fit(pixels, (70, 70)) == 255).all()
    assert fit(pixels, (70, 70), crop=1).min() == 0


def test_samples_are_there_with_their_licences() -> None:
    photos = sample_photos()
    assert [p.name for p in photos] == sorted(SAMPLES)
    assert len(photos) == 17
    for photo in photos:
        assert photo.pixels.dtype == np.uint8
        assert photo.pixels.ndim == photo.pixels.shape[2] == 3
        assert photo.licence
        assert photo.pixels.std() > 5


def test_a_folder_in_order_of_names(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg"):
        Image.fromarray(GREY).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert [p.name for p in folder_photos(tmp_path)] == ["a.jpg", "b.PNG"]


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no image \(\.bmp, "):
        folder_photos(tmp_path)
    with pytest.raises(InputError, match="nowhere is not a folder"):
        folder_photos(tmp_path / "nowhere")


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x89PNG\r\n\x1a\n" + b"rubbish" * 9])
def test_unreadable_images(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"cannot read the image .*a\.png: \S+"):
        folder_photos(tmp_path)


def test_truncated_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (99, 99), np.uint8)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cannot read the image .*a\.png: .*truncated"):
        folder_photos(tmp_path)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    for limit in (4, 2):  # Pillow warns above its limit, and refuses twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(InputError, match="decompression bomb"):
            read_image(tmp_path / "a.png")


@pytest.mark.parametrize("package", ["PIL", "sklearn"])
def test_missing_packages_name_the_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'atalanta\[models\]'"):
        sample_photos()


def test_cifar10(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pictures = rng.integers(0, 256, (12, 32, 32, 3), np.uint8)
    records = [bytes([i]) + picture.transpose(2, 0, 1).tobytes() for i, picture in enumerate(pictures)]
    (tmp_path / "test_batch.bin").write_bytes(b"".join(records))
    photos = folder_photos(tmp_path)
    assert [p.name for p in photos] == [f"test_batch.{i}" for i in range(10)]
    np.testing.assert_array_equal([p.pixels for p in photos], pictures[:10])
    (tmp_path / "test_batch.bin").write_bytes(b"".join(records[:9]))
    with pytest.raises(InputError, match=r"test_batch\.bin does not hold 10 images of CIFAR-10"):
        folder_photos(tmp_path)
