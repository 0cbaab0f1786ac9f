"""The rules of the studio: pure Python, standard library only. No Discord, no HTTP, no SQL, no clock."""
