"""The explorer: a page that cuts masks out of stored scores and draws figures, without a kernel.

`page/` holds the page's JavaScript: modules as browsers read them, without a build step. They cut
masks and count overlaps (`cut.js`), and fill the templates of `fggm_lab.plots`, so that each figure
has one definition.
"""
