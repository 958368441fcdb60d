"""Every image that qemu-img makes is read as qemu-img reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.hostile import CLUSTER, qcow2
from support.images import CORPUS, OUR_NAMES, Recipe, assemble, build, convert, oracle, reader

from importer.formats.magic import recognise
from importer.formats.registry import open_image
from importer.formats.vhd import fixed_vhd_footer


@pytest.mark.parametrize("recipe", CORPUS, ids=lambda recipe: recipe.name)
def test_the_extents_of_an_image_make_the_disk_that_qemu_img_makes(recipe: Recipe, tmp_path: Path) -> None:
    path = build(recipe, tmp_path)
    data = path.read_bytes()
    ours = OUR_NAMES.get(recipe.format, recipe.format)

    image = open_image(ours, reader(data), len(data))
    disk = assemble(image, reader(data), len(data))

    assert image.format == ours
    assert image.virtual_size == len(disk)
    assert disk == oracle(recipe, path)
    looks_raw = recipe.name.startswith("vhd-fixed")
    assert recognise(data[:512]) == ("raw" if looks_raw else ours)
    if looks_raw:
        assert fixed_vhd_footer(data[-512:], len(data)) == image.virtual_size


def test_a_semi_allocated_last_cluster_is_read_as_qemu_img_reads_it(tmp_path: Path) -> None:
    data = bytes(qcow2()[: 5 * CLUSTER + 1000])
    path = tmp_path / "semi.qcow2"
    path.write_bytes(data)

    disk = assemble(open_image("qcow2", reader(data), len(data)), reader(data), len(data))

    assert disk == oracle(Recipe("semi", "qcow2", convert("qcow2")), path)
    assert disk[:1000] == b"data" * 250
    assert not any(disk[1000:])
