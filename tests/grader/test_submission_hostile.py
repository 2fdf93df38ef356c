"""Hostile and broken submissions: what is refused, and that nothing gets out of its folder; then
what is collected of good ones."""
from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from grader.archives import Sizes
from grader.errors import SubmissionError
from submissions import TREE, WANTED, Case


class TestHostile(Case):
    """Archives that want out, or are too much."""

    @pytest.mark.parametrize("name", [
        "/etc/x", "../x", "kernel/../../x", "C:\\x", "a/../../../x",
    ])
    def test_path_that_leads_out_of_a_tar_archive(self, name: str) -> None:
        self.refused(self.tar([*TREE.items(), (name, b"x")]), "leads out")

    @pytest.mark.parametrize("name", ["../x", "..\\x", "/x"])
    def test_path_that_leads_out_of_a_zip_archive(self, name: str) -> None:
        self.refused(self.zip([*TREE.items(), (name, b"x")]), "leads out")

    @pytest.mark.parametrize("kind, word", [
        (tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "link"), (tarfile.CHRTYPE, "special"),
        (tarfile.FIFOTYPE, "special"),
    ])
    def test_links_and_special_files(self, kind: bytes, word: str) -> None:
        self.refused(self.special("kernel/x.c", kind, "/etc/passwd"), word)
        assert self.taken(self.special("notes", kind, "/etc/passwd")) == WANTED
        assert not os.path.lexists(self.work / "unpacked/notes")

    def test_write_through_a_link(self) -> None:
        path = self.special("out", tarfile.SYMTYPE, str(self.folder))
        with tarfile.open(path, "a") as tar:
            info = tarfile.TarInfo("out/escaped")
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
        self.taken(path)
        assert not (self.folder / "escaped").exists()

    def test_link_in_zip(self) -> None:
        path = self.zip(list(TREE.items()))
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo("kernel/x.c")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "/etc/passwd")
        self.refused(path, "is a link")

    def test_too_many_files(self) -> None:
        self.refused(self.tar([(f"kernel/{i}.c", b"") for i in range(60)]), "more than 50 files")

    def test_too_deep(self) -> None:
        self.refused(self.tar([("kernel/" + "d/" * 9 + "x.c", b"")]), "too deep")

    def test_bombs(self) -> None:
        zeros = bytes(30 << 20)
        self.refused(
            self.tar([("kernel/main.c", b""), ("fs.img", zeros)], "w:gz"),
            "more than 20 MiB|far more"
        )
        self.refused(self.zip([("kernel/main.c", b""), ("fs.img", zeros)]), "more than 20 MiB")

    def test_bomb_in_a_header(self) -> None:
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XHDTYPE, 15 << 20
        path = self.folder / "a.tar"
        path.write_bytes(info.tobuf() + bytes(16 << 20))
        self.refused(str(path), "far more", Sizes(archive_bytes=100 << 20))

    def test_zip_that_lies_about_sizes(self) -> None:
        path = Path(self.zip([("kernel/main.c", b"x" * 900)], zipfile.ZIP_STORED))
        data = path.read_bytes().replace(struct.pack("<I", 900), struct.pack("<I", 10))
        path.write_bytes(data)
        self.refused(str(path), "damaged")

    def test_large_files_that_are_not_wanted_do_no_harm(self) -> None:
        assert self.taken(self.tar([*TREE.items(), ("fs.img", bytes(1 << 20))], "w:gz")) == WANTED

    def test_damaged(self) -> None:
        whole = Path(self.tar(list(TREE.items()), "w:gz")).read_bytes()
        path = self.folder / "a.bin"
        for data in (
            whole[: len(whole) // 2], b"", b"hello", b"PK\3\4nothing", os.urandom(3000),
            b"\x1f\x8b" + os.urandom(500)
        ):
            path.write_bytes(data)
            self.refused(str(path), "damaged")

    def test_encrypted(self) -> None:
        path = Path(self.zip(list(TREE.items())))
        data = bytearray(path.read_bytes())
        for start, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            place = data.find(start)
            while place >= 0:
                data[place + offset] |= 1
                place = data.find(start, place + 1)
        path.write_bytes(data)
        self.refused(str(path), "encrypted")

    def test_file_and_folder_of_one_name(self) -> None:
        self.refused(
            self.tar([("kernel/vm", b"x"), ("kernel/vm/cow.c", b"x")]),
            "both as a file and as a folder"
        )

    def test_no_source(self) -> None:
        for source in (str(self.folder / "none"), "-", "x@y"):
            self.refused(source, "is no directory")

    def test_no_tree_or_two(self) -> None:
        self.refused(self.tar([("main.c", b"")]), "no folder kernel")
        self.refused(
            self.tar([("a/kernel/main.c", b""), ("b/kernel/main.c", b"")]), "several trees"
        )


class TestCollecting(Case):
    """Only allowed files are taken."""

    def collect(self, files: dict[str, bytes], required: list[str] | None = None) -> tuple[
        list[str], list[str]
    ]:
        """Collects from these files."""
        collected = self.collect_from(self.write("tree", files), required or [])
        return collected.files, collected.ignored

    def test_ignored(self) -> None:
        files = {**TREE, "kernel/kernel.ld": b"", "kernel/notes/a.txt": b""}
        assert self.collect(files) == (
            ["kernel/main.c", "kernel/vm/cow.c"],
            ["Makefile", "kernel/kernel.ld", "kernel/notes/", "user/"],
        )

    def test_copies(self) -> None:
        """What a file manager calls a copy is left out beside the file itself, and nothing else."""
        copies = [
            "kernel/vm/Copy of cow.c", "kernel/vm/cow (1).c", "kernel/vm/cow - Copy (2).c",
            "kernel/vm/cow - Copy.c", "kernel/vm/cow copy.c",
        ]
        names = ("kernel/vm/my part.c", "kernel/vm/table (1).c", "kernel/vm/cow-2.c")
        others = {name: b"" for name in names}
        tree = self.write("tree", {**TREE, **others, **{name: b"int cow;\n" for name in copies}})
        collected = self.collect_from(tree, sizes=Sizes())
        assert sorted(collected.copies) == sorted(copies)
        assert collected.files == sorted([*WANTED, *others])

    def test_a_copy_alone_is_not_the_file(self) -> None:
        files = {"kernel/main.c": b"", "kernel/vm/cow (1).c": b""}
        with pytest.raises(SubmissionError, match="has no kernel/vm/cow.c"):
            self.collect(files, ["kernel/vm/cow.c"])

    def test_line_ends(self) -> None:
        """What an editor or git on another system made of a source is undone."""
        text = "#define A \\\n    1 // \u00e9\n"
        for data in (
            text.replace("\n", "\r\n").encode(), text.encode("utf-8-sig"), text.encode("utf-16")
        ):
            self.collect({**TREE, "kernel/vm/cow.c": data})
            assert (self.folder / "taken/kernel/vm/cow.c").read_text(encoding="utf-8") == text

    def test_required(self) -> None:
        with pytest.raises(SubmissionError, match="has no kernel/vm/cow.h"):
            self.collect(TREE, ["kernel/vm/cow.h"])

    def test_links(self) -> None:
        self.write("secret", {"key": b"answer"})
        self.write("tree", TREE)
        (self.folder / "tree/kernel/key.c").symlink_to(self.folder / "secret/key")
        with pytest.raises(SubmissionError, match="key.c is a link"):
            self.collect({})
        (self.folder / "tree/kernel/key.c").unlink()
        (self.folder / "tree/kernel/more").symlink_to(self.folder / "secret")
        assert "kernel/more" in self.collect({})[1]
        assert not (self.folder / "taken/kernel/more").exists()

    def test_fifo(self) -> None:
        self.write("tree", TREE)
        os.mkfifo(self.folder / "tree/kernel/wait.c")
        with pytest.raises(SubmissionError, match="wait.c is not a plain file"):
            self.collect({})

    def test_too_large(self) -> None:
        with pytest.raises(SubmissionError, match="kernel/main.c has more than 1000 bytes"):
            self.collect({"kernel/main.c": bytes(1001)})
        self.collect({"kernel/main.c": bytes(1000)})
        with pytest.raises(SubmissionError, match="too large"):
            self.collect({f"kernel/{i}.c": bytes(900) for i in range(6)})
        with pytest.raises(SubmissionError, match="too large"):
            self.collect({f"kernel/{i}.c": b"" for i in range(11)})
        with pytest.raises(SubmissionError, match="kernel/main.c has more than"):
            self.taken(self.tar([("kernel/main.c", bytes(1 << 20))], "w:gz"))
