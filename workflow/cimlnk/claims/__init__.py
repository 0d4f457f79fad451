"""The study's claims as executable checks.

``evaluate`` asks every claim of `seeds/claims.yaml`; what a claim is judged by and its verdict are in ``evidence``, a
finding in ``finding``, how often chance supports it in ``chance``. By topic: ``checks_kinetics``, ``checks_phenotype``,
``checks_subsets``, ``checks_composition``, ``checks_outcome``, ``checks_cmv``, ``checks_design``,
``checks_integrity``.
"""
