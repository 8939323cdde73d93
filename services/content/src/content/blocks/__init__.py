"""Reading blocks: the blocks API, single blocks, pages."""
