"""Sources of a bundle's binaries: official releases, pinned Go modules, a directory. The user chooses.

Each source is a function ``collect(versions, arch, …, emit)`` that returns found files; it leaves them in the cache (or
the user's directory). Sources never fall back to one another. Not here: the manifest (bundle.create).
"""
