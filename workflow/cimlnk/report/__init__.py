"""The offline HTML site, the pages for clinicians and the explorer.

``site`` puts `pages` together: each a function of a run's tables (``run``) to sections (``blocks``), with `figures`.
What is shown of very many: ``many``. The two PDFs: `clinicians`. Every cell on one page: `explorer`.
"""
