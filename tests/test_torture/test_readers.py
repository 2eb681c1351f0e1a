"""Who asks while others write sees whole nights, and no error."""

from torture.readers import STATES, run


def test_eight_readers_see_whole_nights_only(stage, tmp_path):
    seen = run(
        stage,
        tmp_path,
        rounds=1,
        threads=["sql", "sql", "files", "files"],
        processes=["sql", "sql", "files", "files"],
    )
    assert seen.wrong == []
    assert seen.readers == 8
    assert seen.answers > 8
    assert len(seen.states) > 1
    assert all(state in STATES for state in seen.states)
