"""Where the binaries of a bundle come from: official releases, pinned Go modules, a directory. The choice is the user's.

Each source is a function ``collect(versions, arch, …, emit) -> tuple[Found, ...]`` that leaves files in the cache (or in the
user's directory) and says where they are. Sources never fall back to one another. Not here: the manifest (bundle.create).
"""
