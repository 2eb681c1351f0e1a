"""Random lives of an archive, held against nights in memory; `make torture` lives 500."""

from torture.model import ArchiveMachine, profile

TestArchive = ArchiveMachine.TestCase
TestArchive.settings = profile(6, 12, random=False)
