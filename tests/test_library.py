"""The movie library: which file a name means, and that no name means any other."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from movies import MOVIE, frames_of, write_movie
from systems import HAS_LINKS, needs_backslash_in_names, needs_links, needs_names_by_case

from rtplab.protocol.errors import MessageError
from rtplab.serving.media import library as library_module
from rtplab.serving.media.library import MAX_FOLDERS, MovieLibrary

FILES = (
    "movie.Mjpeg",
    "UPPER.MJPEG",
    "short.mjpg",
    "Two.Mjpeg",
    "two.mjpeg",
    "a b.Mjpeg",
    "back\\slash.Mjpeg",
    "straße.Mjpeg",
    "%2e.Mjpeg",
    "...Mjpeg/x",
    "videos/movie.Mjpeg",
    "videos/deep/er/one.mjpeg",
    "Twin/movie.Mjpeg",
    "twin/other.Mjpeg",
    ".hidden.Mjpeg",
    ".secret/movie.Mjpeg",
    "README.md",
    "movie.Mjpeg.txt",
    "noending",
    "folder.Mjpeg/inner.Mjpeg",
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("library")
    for name in FILES:
        if os.sep == "\\" in name:  # there it is no part of a name
            continue
        path = base / "media" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (base / "secret.Mjpeg").write_text("secret")
    (base / "media-2").mkdir()
    (base / "media-2" / "movie.Mjpeg").write_text("neighbour")
    return base


@pytest.fixture(scope="module")
def library(base):
    media = base / "media"
    links = {
        "inside.Mjpeg": "videos/movie.Mjpeg",
        "indoors": "videos",
        "outside.Mjpeg": "../secret.Mjpeg",
        "absolute.Mjpeg": str(base / "secret.Mjpeg"),
        "outdoors": "..",
        "neighbour.Mjpeg": "../media-2/movie.Mjpeg",
        "chain.Mjpeg": "outside.Mjpeg",
        "loop.Mjpeg": "loop.Mjpeg",
        "dangling.Mjpeg": "nowhere.Mjpeg",
    }
    for name, target in links.items() if HAS_LINKS else ():
        (media / name).symlink_to(target)
    if hasattr(os, "mkfifo"):
        os.mkfifo(media / "pipe.Mjpeg")
    return MovieLibrary(media)


def found(library, name):
    return library.find(name).relative_to(library.folder).as_posix()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("movie.Mjpeg", "movie.Mjpeg"),
        pytest.param("movie.mjpeg", "movie.Mjpeg", marks=needs_names_by_case),
        pytest.param("MOVIE.MJPEG", "movie.Mjpeg", marks=needs_names_by_case),
        pytest.param("upper.Mjpeg", "UPPER.MJPEG", marks=needs_names_by_case),
        ("short.mjpg", "short.mjpg"),
        ("./movie.Mjpeg", "movie.Mjpeg"),
        ("././movie.Mjpeg", "movie.Mjpeg"),
        ("a b.Mjpeg", "a b.Mjpeg"),
        pytest.param("back\\slash.Mjpeg", "back\\slash.Mjpeg", marks=needs_backslash_in_names),
        ("STRASSE.Mjpeg", "straße.Mjpeg"),
        ("%2e.Mjpeg", "%2e.Mjpeg"),
        ("videos/movie.Mjpeg", "videos/movie.Mjpeg"),
        ("./videos/./movie.Mjpeg", "videos/movie.Mjpeg"),
        pytest.param("VIDEOS/MOVIE.mjpeg", "videos/movie.Mjpeg", marks=needs_names_by_case),
        ("videos/deep/er/one.mjpeg", "videos/deep/er/one.mjpeg"),
        ("folder.Mjpeg/inner.Mjpeg", "folder.Mjpeg/inner.Mjpeg"),
        pytest.param("inside.Mjpeg", "inside.Mjpeg", marks=needs_links),
        pytest.param("indoors/movie.Mjpeg", "indoors/movie.Mjpeg", marks=needs_links),
    ],
)
def test_what_a_name_means(library, name, file):
    assert found(library, name) == file


@needs_names_by_case
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Two.Mjpeg", "Two.Mjpeg"),
        ("two.mjpeg", "two.mjpeg"),
        ("Twin/movie.Mjpeg", "Twin/movie.Mjpeg"),
        ("twin/other.Mjpeg", "twin/other.Mjpeg"),
    ],
)
def test_the_exact_name_comes_first(library, name, file):
    assert found(library, name) == file


TWINS = {
    "two fit but for the case",
    "two folders fit but for the case",
    "in the other of two folders",
}
NOT_FOUND = {
    "missing": "missing.Mjpeg",
    "empty": "",
    "the folder": ".",
    "the folder with a slash": "./",
    "its parent": "..",
    "two fit but for the case": "TWO.Mjpeg",
    "two folders fit but for the case": "TWIN/movie.Mjpeg",
    "in the other of two folders": "twin/movie.Mjpeg",
    "up": "../secret.Mjpeg",
    "up and down": "videos/../movie.Mjpeg",
    "up twice": "videos/../../secret.Mjpeg",
    "up by dots in a folder's name": "...Mjpeg/../movie.Mjpeg",
    "a neighbour whose name begins like ours": "../media-2/movie.Mjpeg",
    "backslashes": "..\\secret.Mjpeg",
    "backslash for slash": "videos\\movie.Mjpeg",
    "drive letter": "C:\\movie.Mjpeg",
    "escaped dots": "%2e%2e/secret.Mjpeg",
    "escaped slash": "videos%2fmovie.Mjpeg",
    "absolute": "/etc/passwd",
    "absolute inside": "/movie.Mjpeg",
    "double slash": "videos//movie.Mjpeg",
    "slash at the end": "movie.Mjpeg/",
    "file taken for a folder": "movie.Mjpeg/movie.Mjpeg",
    "hidden": ".hidden.Mjpeg",
    "hidden, other case": ".HIDDEN.mjpeg",
    "in a hidden folder": ".secret/movie.Mjpeg",
    "no movie": "README.md",
    "no movie by its last ending": "movie.Mjpeg.txt",
    "no ending": "noending",
    "folder": "videos",
    "folder that is called a movie": "folder.Mjpeg",
    "link out": "outside.Mjpeg",
    "absolute link out": "absolute.Mjpeg",
    "linked folder out": "outdoors/secret.Mjpeg",
    "linked folder out and in again": "outdoors/media/../secret.Mjpeg",
    "link to the neighbour": "neighbour.Mjpeg",
    "link to a link out": "chain.Mjpeg",
    "link to itself": "loop.Mjpeg",
    "link to nothing": "dangling.Mjpeg",
    "pipe": "pipe.Mjpeg",
    "NUL at the end": "movie.Mjpeg\0",
    "NUL before the ending": "movie\0.Mjpeg",
    "NUL hides the ending": "README.md\0.Mjpeg",
    "line end": "movie.Mjpeg\n",
    "too long for a file": "m" * 300 + ".Mjpeg",
    "too long for a path": "m/" * 3000 + "movie.Mjpeg",
    "too many dots": "../" * 3000 + "etc/passwd",
    "bytes that are no text": "\udcff.Mjpeg",
    "question mark": "movie.Mjpe?",
    "star": "*.Mjpeg",
    "home": "~/movie.Mjpeg",
    "with an address": "rtsp://host/movie.Mjpeg",
}


def names_not_found(but_for):
    """The names above as cases of a test."""
    for what, name in NOT_FOUND.items():
        if what not in but_for:
            marks = (needs_names_by_case,) if what in TWINS else ()
            if what == "backslash for slash":
                marks = (needs_backslash_in_names,)
            yield pytest.param(name, id=what, marks=marks)


@pytest.mark.parametrize("name", list(names_not_found(set())))
def test_what_is_not_found(library, name):
    with pytest.raises(MessageError) as caught:
        library.find(name)
    assert caught.value.status == 404
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("movie.Mjpeg", "movie.Mjpeg"),
        ("videos/movie.Mjpeg", "videos/movie.Mjpeg"),
        pytest.param("back\\slash.Mjpeg", "back\\slash.Mjpeg", marks=needs_backslash_in_names),
        ("/movie.Mjpeg", "movie.Mjpeg"),
        ("/videos/movie.Mjpeg", "videos/movie.Mjpeg"),
        ('"movie.Mjpeg"', "movie.Mjpeg"),
        ("'movie.Mjpeg'", "movie.Mjpeg"),
        ('"a b.Mjpeg"', "a b.Mjpeg"),
        (".\\movie.Mjpeg", "movie.Mjpeg"),
        ("videos\\movie.Mjpeg", "videos/movie.Mjpeg"),
        pytest.param("films/MOVIE.mjpeg", "movie.Mjpeg", marks=needs_names_by_case),
        ("./films/movie.Mjpeg", "movie.Mjpeg"),
    ],
)
def test_what_a_person_means(library, name, file):
    assert library.find_meant(name).relative_to(library.folder).as_posix() == file


MEANT = {  # a movie inside the folder, whatever folders it is said to be in
    "absolute inside",
    "backslash for slash",
    "file taken for a folder",
    "double slash",
    "home",
    "two folders fit but for the case",
    "in the other of two folders",
    "too long for a path",
}


@pytest.mark.parametrize("name", list(names_not_found(MEANT)))
def test_what_a_person_means_is_never_outside_nor_hidden(base, library, name):
    for written in (name, f"/{name}", f'"{name}"', f"..\\{name}", str(base / name)):
        with pytest.raises(MessageError) as caught:
            library.find_meant(written)
        assert caught.value.status == 404


def test_what_is_not_found_is_named_escaped_and_cut(library):
    with pytest.raises(MessageError) as caught:
        library.find("\x1b[2J" + "m" * 100)
    name = "\\x1b[2J" + "m" * 76 + "..."
    assert f" {name} " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("movei.Mjpeg", "movie.Mjpeg"),
        ("Movie", "movie.Mjpeg"),
        ("movie.mp4", "movie.Mjpeg"),
        ("mvie.Mjpeg", "movie.Mjpeg"),
        ("movvie.Mjpeg", "movie.Mjpeg"),
        ("the movie.Mjpeg", None),
        ("m", None),
        ("videos/movie2.Mjpeg", "movie.Mjpeg"),
        ("secret", None),
        ("notes", None),
        ("something", None),
        ("movie" * 100, None),
        ("", None),
    ],
)
def test_a_name_that_is_nearly_that_of_a_movie(tmp_path, name, meant):
    for file in ("movie.Mjpeg", "other.avi", ".secret.Mjpeg", "notes.txt"):
        (tmp_path / file).touch()
    assert MovieLibrary(tmp_path).similar(name) == meant


def test_a_name_is_compared_with_a_bounded_number_of_others(tmp_path, monkeypatch):
    monkeypatch.setattr(library_module, "MAX_COMPARED", 3)
    for letter in "abcdef":
        (tmp_path / f"{letter * 5}.avi").touch()
    library = MovieLibrary(tmp_path)
    assert sum(library.similar(letter * 5 + letter) is not None for letter in "abcdef") == 3


def test_no_movie_is_nearly_meant_where_there_is_none(tmp_path):
    assert MovieLibrary(None).similar("movie.Mjpeg") is None
    assert MovieLibrary(tmp_path / "missing").similar("movie.Mjpeg") is None


def test_folders_are_bounded(tmp_path):
    deepest = tmp_path.joinpath(*["d"] * (MAX_FOLDERS - 1))
    (deepest / "d").mkdir(parents=True)
    (deepest / "movie.Mjpeg").touch()
    (deepest / "d" / "movie.Mjpeg").touch()
    library = MovieLibrary(tmp_path)
    assert library.find("d/" * (MAX_FOLDERS - 1) + "movie.Mjpeg")
    with pytest.raises(MessageError):
        library.find("d/" * MAX_FOLDERS + "movie.Mjpeg")


@needs_links
def test_the_folder_itself_may_be_a_link(base, library):
    link = base / "link"
    link.symlink_to("media")
    assert MovieLibrary(link).find("movie.Mjpeg").read_text() == "movie.Mjpeg"


def test_a_relative_folder_is_that_of_the_start(base, library, monkeypatch):
    monkeypatch.chdir(base)
    library = MovieLibrary("media")
    monkeypatch.chdir("/")
    assert library.find("movie.Mjpeg").read_text() == "movie.Mjpeg"


def test_a_name_is_matched_anew_each_time(tmp_path):
    library = MovieLibrary(tmp_path)
    with pytest.raises(MessageError):
        library.find("new.Mjpeg")
    (tmp_path / "new.Mjpeg").touch()
    assert library.find("new.Mjpeg")


@needs_links
def test_a_name_that_is_known_is_looked_at_again_when_another_file_has_it(tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    movie = media / "movie.Mjpeg"
    library = MovieLibrary(media)
    for text in ("one", "another"):
        movie.write_text(text)
        assert library.find("movie.Mjpeg") == library.find("movie.Mjpeg") == movie
    movie.rename(tmp_path / "outside.Mjpeg")
    for _ in range(2):
        with pytest.raises(MessageError):
            library.find("movie.Mjpeg")
        if not movie.is_symlink():
            movie.symlink_to(tmp_path / "outside.Mjpeg")


@needs_names_by_case
def test_a_name_in_other_letters_is_another_name_once_there_is_one(tmp_path):
    library = MovieLibrary(tmp_path)
    for name in ("movie.mjpeg", "MOVIE.mjpeg"):
        (tmp_path / name).touch()
        assert library.find("MOVIE.mjpeg").name == name


@needs_links
def test_a_link_that_leads_elsewhere_while_it_is_looked_at_is_not_remembered(tmp_path, monkeypatch):
    media = tmp_path / "media"
    media.mkdir()
    for path in (media / "inside.Mjpeg", tmp_path / "outside.Mjpeg"):
        path.write_text("")
    link, library = media / "link.Mjpeg", MovieLibrary(media)
    link.symlink_to(media / "inside.Mjpeg")
    remember = library._remember

    def change_first(path, real):
        link.unlink()
        link.symlink_to(tmp_path / "outside.Mjpeg")
        remember(path, real)

    monkeypatch.setattr(library, "_remember", change_first)
    library.find("link.Mjpeg")
    with pytest.raises(MessageError):
        library.find("link.Mjpeg")


def test_a_folder_that_is_moved_out_takes_its_movies_with_it(tmp_path):
    media = tmp_path / "media"
    (media / "folder").mkdir(parents=True)
    (media / "folder" / "movie.Mjpeg").write_text("")
    library = MovieLibrary(media)
    library.find("folder/movie.Mjpeg")
    with pytest.raises(MessageError):
        library.find("movie.Mjpeg")
    (media / "folder").rename(tmp_path / "outside")
    (media / "folder").symlink_to(tmp_path / "outside")
    with pytest.raises(MessageError):
        library.find("folder/movie.Mjpeg")


def test_no_more_names_are_remembered_than_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(library_module, "MAX_KNOWN", 3)
    library = MovieLibrary(tmp_path)
    for number in range(10):
        (tmp_path / f"{number}.mjpeg").touch()
        library.find(f"{number}.mjpeg")
        assert len(library._known) <= 3


@needs_names_by_case
def test_movies_are_those_directly_in_the_folder_by_name(library):
    assert [path.name for path in library.movies()] == [
        "%2e.Mjpeg",
        "Two.Mjpeg",
        "UPPER.MJPEG",
        "a b.Mjpeg",
        "back\\slash.Mjpeg",
        "inside.Mjpeg",
        "movie.Mjpeg",
        "short.mjpg",
        "straße.Mjpeg",
        "two.mjpeg",
    ]


def test_movies_of_a_missing_folder(tmp_path):
    with pytest.raises(OSError):
        MovieLibrary(tmp_path / "missing").movies()


PARTS = ["..", ".", "", "media", "videos", "movie.Mjpeg", "secret.Mjpeg", "outdoors", "\0", "/"]
PARTS += ['"', "..\\", "\\", ".\\movie.Mjpeg", "C:\\movie.Mjpeg"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PARTS), max_size=8).map("/".join)))
@pytest.mark.parametrize("find", [MovieLibrary.find, MovieLibrary.find_meant])
def test_any_name_is_a_movie_inside_or_not_found(library, find, name):
    try:
        path = find(library, name)
    except MessageError as error:
        assert error.status == 404
        return
    assert os.path.realpath(path).startswith(f"{library.folder}{os.sep}")
    assert path.is_file()
    assert path.suffix.lower() in (".mjpeg", ".mjpg")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such links")
def test_a_link_that_can_not_be_followed_hides_no_other_movie(tmp_path):
    """As into a folder that may not be entered; for root, only a name too long is like that."""
    write_movie(tmp_path / "movie.Mjpeg", frames_of(MOVIE)[:1])
    (tmp_path / "long.Mjpeg").symlink_to("x" * 300)
    library = MovieLibrary(tmp_path)
    assert [path.name for path in library.movies()] == ["movie.Mjpeg"]
    with pytest.raises(MessageError) as refusal:
        library.find("long.Mjpeg")
    assert refusal.value.status == 404
