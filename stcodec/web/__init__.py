"""Parts that the pages share: the page of one file, its colours, and scripts for elements, lines and maps."""
