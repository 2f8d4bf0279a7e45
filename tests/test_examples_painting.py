"""The program that learns a picture by places: what it draws, learns, keeps and refuses."""

import importlib
import math

import numpy as np
import pytest

import tensorgrad as tg
from tests.example_runs import run

Image = pytest.importorskip("PIL.Image")


def write_photo(path):
    """Red above blue, 40 wide and 20 high."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:10, :, 0] = pixels[10:, :, 2] = 255
    Image.fromarray(pixels).save(path)


def test_waves_show_edges_that_places_alone_do_not(backend, tmp_path, capsys):
    figures = run("painting", "--quick", folder=tmp_path)
    assert figures["(x, y)"] > 14  # of one colour for all pixels: 11.5
    assert figures["Fourier features"] > figures["(x, y)"] + 6
    assert " (x, y)  Fourier features\n" in capsys.readouterr().out
    with Image.open(tmp_path / "picture.gif") as film:
        assert film.n_frames == 16  # of 25 epochs the first three, and others
        film.seek(1)
        second = np.asarray(film.convert("RGB"))
        film.seek(15)
        assert (np.asarray(film.convert("RGB")) != second).any()


def test_a_painting_that_was_broken_off_goes_on(tmp_path):
    photo = tmp_path / "photo.png"
    write_photo(photo)
    options = ["--image", str(photo), "--side", "16", "--waves", "8", "--sigma", "2"]
    options += ["--hidden", "16", "--epochs"]
    kept = ["--checkpoint", str(tmp_path / "kept.st")]
    run("painting", *options, "2", *kept, folder=tmp_path)
    resumed = run("painting", *options, "5", *kept, folder=tmp_path)
    film = (tmp_path / "picture.gif").read_bytes()
    assert resumed == run("painting", *options, "5", folder=tmp_path)
    assert film == (tmp_path / "picture.gif").read_bytes()


def test_pictures_of_people_are_shrunk_to_the_side(tmp_path):
    painting = importlib.import_module("painting")
    program = importlib.import_module("program")
    parser = program.options_of("doc", 1, image={}, side={"type": int})
    write_photo(tmp_path / "photo.png")
    options = parser.parse_args(["--image", str(tmp_path / "photo.png"), "--side", "8"])
    small = painting.picture_of(options)
    assert small.shape == (4, 8, 3)
    np.testing.assert_allclose(small[0], [[1, 0, 0]] * 8, atol=1e-6)
    options.side = 99  # never enlarged
    assert painting.picture_of(options).shape == (20, 40, 3)
    (tmp_path / "photo.png").write_text("no image")
    with pytest.raises(SystemExit, match="painting: expected an image that can be read, got"):
        painting.picture_of(options)
    options.image = str(tmp_path / "nowhere.png")
    with pytest.raises(SystemExit, match=r"expected an image that can be read, got .*nowhere\.png"):
        painting.picture_of(options)
    with pytest.raises(SystemExit, match="a --side and --waves of at least 1, got 0 and 128"):
        run("painting", "--side", "0", folder=tmp_path)


def test_places_and_their_waves():
    painting = importlib.import_module("painting")
    wanted = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert painting.places_of(2, 2).tolist() == wanted
    assert painting.places_of(1, 4)[:, 1].tolist() == [0.125] * 4
    painter = painting.Painter(3, 2.0, 8)
    painter.waves = tg.tensor([[1.0, 0], [0, 2], [3, 4]])
    seen = []
    painter.layers.register_forward_pre_hook(lambda layers, args: seen.append(args[0]))
    painter(tg.tensor([[0.25, 0.5]]))
    # Angles: a quarter turn, a whole one, and 2.75 turns.
    tg.testing.assert_close(seen[0], tg.tensor([[0.0, 1, 0, 1, 0, -1]]), atol=1e-5, rtol=0)


def test_psnr():
    painting = importlib.import_module("painting")
    black = tg.zeros(2, 3)
    assert painting.psnr(black, black) == math.inf
    assert painting.psnr(black, black + 0.1) == pytest.approx(20, abs=1e-4)
    assert painting.psnr(black, black + 1) == pytest.approx(0)
