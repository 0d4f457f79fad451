"""The front door: what a person meets before, at the end of and after a run.

- A run's console: ``console``, ``headlines``, ``locked``, ``clock``.
- Warnings: ``warnings``, ``tables`` (the kinds); drawn from tables by ``collect``, ``collect_sheets``,
  ``collect_donors``.
- ``draft``: what lies there ``found``, ``gather``, ``beside``, ``split_h5ad``; what it means ``words_of_names``,
  ``guess_samples``, ``guess_panel``, ``scale``; what is a guess ``marks``; who was sampled when ``design_grid``; the
  config's text ``draft_config``.
- ``check``: files ``check_files``, ``check_events``, ``check_flow``, ``check_preparation``; sheets ``check_sheets``,
  ``check_panel``, ``check_design``; what a run refuses ``check_run``, ``early``; what is said ``findings``,
  ``check_console``.
- ``add``: files of another panel ``strangers``; clusters ``place``; names ``name_added``, ``voices``; strangeness
  ``far``, ``shift``; tables and page ``added``, ``added_page``; what is said ``say_added``.
"""
