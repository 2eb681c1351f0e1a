"""Damaged inputs, some of those that `make torture` tries at length."""

from dataclasses import replace

from torture import fuzz
from torture.mutations import nothing


def test_damaged_inputs_end_in_refusals_or_in_what_astropy_reads(tmp_path):
    ends, wrong = fuzz.run(tmp_path, fuzz.SHORT)
    assert wrong == []
    assert ends.total() == fuzz.SHORT
    # Neither is everything refused, nor is the damage harmless.
    assert sum(count for end, count in ends.items() if end.endswith(" read")) > fuzz.SHORT / 8
    assert sum(count for end, count in ends.items() if " read" not in end) > fuzz.SHORT / 4


def test_a_number_gives_the_same_damage_again(tmp_path):
    subjects = fuzz.subjects(tmp_path / "sound")
    for number in range(24):
        one, other = (
            fuzz.write_case(number, subjects, tmp_path / which)[1].read_bytes()[:100_000]
            for which in ("one", "other")
        )
        assert one == other


def test_sound_inputs_are_read_as_astropy_reads_them(tmp_path):
    """The judge of the damaged ones finds nothing wrong where nothing is."""
    for subject in fuzz.subjects(tmp_path / "sound"):
        left_alone = replace(subject, kinds=(nothing,))
        end, wrong = fuzz.run_case(0, [left_alone], tmp_path / "case")
        assert wrong == []
        assert end == f"{subject.name} read"


def test_good_files_among_damaged_ones_are_published_whole(tmp_path):
    refused, wrong = fuzz.ingest_among_good(tmp_path, 60)
    assert wrong == []
    assert refused > 20
