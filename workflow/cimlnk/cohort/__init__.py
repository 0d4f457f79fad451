"""Sample sheet, counts, patients, panel and config: reading, validation, design checks.

- Config: ``config``, with ``schemas`` and ``describe``; the manual made from them ``manual``.
- Sheets: ``sheets`` puts all together; columns ``read``, cells ``rows``; facts between rows ``checks``; panel
  ``panel``, overrides ``overrides``, antibodies ``antibodies``; as tables ``save``.
- Files: ``places``, ``download``, ``files``. What the design can distinguish: ``design``.
- Slips of the pen: ``alike``, ``units``.
"""
