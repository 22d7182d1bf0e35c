"""``rancherctl federation``: the commands, one module for each group of them."""
