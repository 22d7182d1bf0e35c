"""What ``rancherctl service`` shows and checks; runs on the operator's machine."""
