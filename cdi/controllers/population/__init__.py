"""Population of claims: one reconciler per target claim owns everything below it."""

from __future__ import annotations

from cdi.controllers.population.reconciler import Population as Population
