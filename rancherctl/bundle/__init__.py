"""What gets installed on hosts: versions that fit together, files with sha256, where they come from, where they go.

Contains the version table (versions), the values (model), the sources of files (sources: official releases, pinned
Go modules, a directory), image archives (images, pause), making and checking a bundle (create, verify) and the list of
files that a host with given roles needs (layout, pure).

Not here: uploading (hosts), units and configuration (environments), anything that runs on a host.

A bundle is a directory: ``manifest.json`` and the files it names, each at ``<component>/<version>/<name>``.
"""
